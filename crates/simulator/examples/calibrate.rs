//! temp
#![allow(clippy::print_stdout)]
use assay_simulator::calibration::{run, scenarios};
fn main() {
    let div: u64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(10);
    let only = std::env::args().nth(2).unwrap_or_default();
    for s in scenarios() {
        if !s.id.contains(&only) { continue; }
        let t = std::time::Instant::now();
        let c = run(&s, 1, 0..s.runs / div);
        println!("{} [{}] {:.2}s -> full {:.1}s", s.id, s.title, t.elapsed().as_secs_f64(), t.elapsed().as_secs_f64()*div as f64);
        for (m, t) in s.measures.iter().zip(&c.0) {
            println!("   {:45} {:?} se {:.4} expected {:?} [{:.4},{:.4}] {}", m.name, t.value(m.kind), t.standard_error(m.kind), m.expected, m.low, m.high, if m.allows(t) {""} else if m.contradicted_by(t,1e-5) {"BAD"} else {"?"});
        }
    }
}
