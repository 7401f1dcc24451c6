//! Under load the source, the log and the disk are taken away one after the other, and all at once: not one answer fails.

use crate::harness::{Client, DEFINITIONS, Wish, World, offer, wait};
use assay_edge::{Offer, Source};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Clients that ask without a pause.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(world: &World) -> Load {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let threads = (0..4)
            .map(|thread| {
                let (address, stop, answered) = (world.address(), stop.clone(), answered.clone());
                std::thread::spawn(move || {
                    let mut client = Client::new(address);
                    for number in 0u64.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let body =
                            format!("{{\"context\":{{\"targetingKey\":\"u{thread}-{number}\",\"plan\":\"pro\"}}}}");
                        let key = ["dark", "shop", "tried", "ramp"][(number % 4) as usize];
                        let path = match number % 16 {
                            0 => "/ofrep/v1/evaluate/flags".to_owned(),
                            _ => format!("/ofrep/v1/evaluate/flags/{key}"),
                        };
                        let reply = client.post(&path, &body);
                        assert_eq!(reply.status, 200, "{path} {body}: {}", reply.text());
                        assert!(reply.text().contains("\"value\":"), "{}", reply.text());
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Load { stop, answered, threads }
    }

    /// Some hundred more answers, none of which failed.
    fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        wait("answers go on", || self.answered.load(Ordering::Relaxed) >= before + 400);
        assert!(self.threads.iter().all(|thread| !thread.is_finished()), "an answer failed");
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.answered.load(Ordering::Relaxed)
    }
}

#[test]
fn nothing_that_goes_away_takes_an_answer_with_it() {
    let (offers, offered) = watch::channel::<Option<Offer>>(None);
    let mut world = World::with(Wish { source: Some(Source::Channel(offered)), ..Wish::default() });
    offers.send_replace(Some(offer(7, DEFINITIONS)));
    world.wait_version(7);
    let load = Load::start(&world);
    load.goes_on();

    world.log.away.store(true, Ordering::SeqCst);
    load.goes_on();
    // The disk: its directory becomes a file, so that nothing can be kept.
    let kept = world.directory.path().join("edge");
    std::fs::remove_dir_all(&kept).unwrap();
    std::fs::write(&kept, "no directory").unwrap();
    offers.send_replace(Some(offer(8, DEFINITIONS)));
    world.wait_version(8);
    wait("the disk is missed", || world.client().get("/readyz").json()["disk"] != "fine");
    load.goes_on();
    // New versions again and again, while everything else is away.
    for version in 9..40 {
        offers.send_replace(Some(offer(version, DEFINITIONS)));
        world.wait_version(version);
    }
    load.goes_on();
    drop(offers);
    wait("the source is missed", || world.client().get("/readyz").json()["upstream"] != "fine");
    let ready = world.client().get("/readyz");
    assert_eq!(ready.status, 200, "{}", ready.text());
    load.goes_on();
    std::thread::sleep(Duration::from_millis(300));
    load.goes_on();
    world.log.away.store(false, Ordering::SeqCst);
    let answered = load.end();
    assert!(answered > 2_000, "{answered}");
    // Every exposure that found room is in the log: one for each unit that asked for the experiment, whichever way.
    let queued = world.metric("assay_edge_exposures_total{outcome=\"queued\"}").unwrap() as usize;
    let lost = world.metric("assay_edge_exposures_total{outcome=\"lost\"}");
    assert_eq!(lost, Some(0.0), "the queue has room for all of them");
    world.edge.take().unwrap().stop();
    assert_eq!(world.records().len(), queued);
}
