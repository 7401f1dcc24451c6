//! The uninterrupted fold: what every crash, restart and repeat is compared with.

use assay_aggregates::{Chunk, ControlFact, DeadLetter, Effects, Fact, Halt, Input, Look, MemoryRuns, Partition};

/// Everything that one fold of a partition tells, from its genesis record on.
#[derive(Debug, Default)]
pub struct Reference {
    /// Offset and event id of every accepted event.
    pub facts: Vec<(u64, u128)>,
    /// Offsets of what was rejected.
    pub dead: Vec<u64>,
    /// Looks.
    pub looks: Vec<Look>,
    /// Chunks, empty ones too.
    pub chunks: Vec<Chunk>,
}

/// Folds record after record.
pub struct Folding {
    partition: u32,
    state: Option<Partition>,
    told: Reference,
}

impl Folding {
    /// Before the first record of a partition.
    pub fn new(partition: u32) -> Self {
        Folding { partition, state: None, told: Reference::default() }
    }

    /// Applies the next record.
    pub fn apply(&mut self, input: &Input<'_>) -> Result<(), Halt> {
        if self.state.is_none() {
            self.state = Some(Partition::start(self.partition, input, Box::new(MemoryRuns::default()))?);
        }
        self.state.as_mut().expect("just started").apply(input, &mut self.told)
    }

    /// What was told.
    pub fn finish(self) -> Reference {
        self.told
    }
}

impl Reference {
    /// Chunks that have rows: first and next offset. These and no others are inserted.
    pub fn inserted(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.chunks.iter().filter(|chunk| chunk.rows + chunk.dead > 0).map(|chunk| (chunk.first, chunk.next))
    }
}

impl Effects for Reference {
    fn fact(&mut self, fact: &Fact<'_>) {
        self.facts.push((fact.offset, fact.event.id.0));
    }
    fn control(&mut self, _: &ControlFact<'_>) {}
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        self.dead.push(letter.input.offset);
    }
    fn look(&mut self, look: Look) {
        self.looks.push(look);
    }
    fn chunk(&mut self, chunk: Chunk) {
        self.chunks.push(chunk);
    }
    fn erase(&mut self, _: &str, _: &str) {}
}
