//! Blocks of measurements: each times every class once, in an order drawn anew, so that a slow
//! phase of the machine affects all of them. Blocks in which the hypervisor took time are left out.

use std::time::{Duration, Instant};

use ssl_provider_testkit::bytes::Rng;

use crate::timing::meter::stolen;
use crate::timing::statistics::{Effect, detectable};

/// What is timed.
pub(crate) trait Subject {
    /// Prepares the inputs of the next block.
    fn prepare(&mut self, rng: &mut Rng);

    /// Times the class once, in nanoseconds.
    ///
    /// # Errors
    ///
    /// Why it cannot be measured, such as a server that no longer answers.
    fn time(&mut self, class: usize) -> Result<f64, String>;
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Blocks, after which it ends if the errors are small enough; and how many times as many there
    /// may be at most.
    pub(crate) blocks: usize,
    pub(crate) rounds: usize,
    /// The effect in nanoseconds that is to be detectable; and what it is computed from.
    pub(crate) target: f64,
    pub(crate) pairs: usize,
    pub(crate) limit: f64,
    /// When to end in any case.
    pub(crate) time: Option<Duration>,
    /// Whether blocks are left out for what the hypervisor took.
    pub(crate) discards: bool,
}

/// The times of every class.
#[derive(Debug)]
pub(crate) struct Samples {
    /// In nanoseconds: a list for each class, all of one length, the same block at the same index.
    times: Vec<Vec<f32>>,
    /// Blocks that were left out.
    pub(crate) discarded: usize,
    /// What it took.
    pub(crate) elapsed: Duration,
}

/// Blocks between two looks at what the hypervisor took, which it counts in ticks of 10 ms.
const WINDOW: usize = 16;

impl Samples {
    /// Measures. `progress` is told blocks and time after each window, and how many there may be.
    ///
    /// # Errors
    ///
    /// The first of the subject.
    pub(crate) fn take(
        subject: &mut dyn Subject,
        classes: usize,
        plan: Plan,
        rng: &mut Rng,
        progress: &mut dyn FnMut(usize, usize, Duration),
    ) -> Result<Self, String> {
        let start = Instant::now();
        let mut samples =
            Self { times: vec![Vec::new(); classes], discarded: 0, elapsed: Duration::ZERO };
        let is_over = || plan.time.is_some_and(|time| start.elapsed() >= time);
        // A tenth warms up.
        let is_warm = || plan.time.is_some_and(|time| start.elapsed() >= time / 10);
        for _ in 0..plan.blocks.div_ceil(10).min(MAX_WARM_UP) {
            if is_warm() {
                break;
            }
            block(subject, classes, rng)?;
        }
        for round in 1..=plan.rounds {
            let goal = plan.blocks * round;
            // Half of the blocks may be left out.
            let mut windows = 2 * plan.blocks.div_ceil(WINDOW);
            while samples.blocks() < goal && windows > 0 && (samples.blocks() == 0 || !is_over()) {
                windows -= 1;
                let count = WINDOW.min(goal - samples.blocks());
                samples.window(subject, count, plan.discards, rng)?;
                progress(samples.blocks(), plan.blocks * plan.rounds, start.elapsed());
            }
            if is_over() || samples.are_precise(plan) {
                break;
            }
        }
        samples.elapsed = start.elapsed();
        Ok(samples)
    }

    /// Measures a few blocks, unless the hypervisor interferes.
    fn window(
        &mut self,
        subject: &mut dyn Subject,
        count: usize,
        discards: bool,
        rng: &mut Rng,
    ) -> Result<(), String> {
        let before = stolen();
        let mut window = Vec::with_capacity(count);
        for _ in 0..count {
            window.push(block(subject, self.times.len(), rng)?);
        }
        if discards && stolen() != before {
            self.discarded += window.len();
            return Ok(());
        }
        for times in window {
            for (all, time) in self.times.iter_mut().zip(times) {
                all.push(time);
            }
        }
        Ok(())
    }

    fn are_precise(&self, plan: Plan) -> bool {
        (1..self.times.len()).all(|class| {
            let effect = Effect::of(&sorted(self.differences(class, 0)));
            detectable(effect.error, plan.pairs, plan.limit) <= plan.target
        })
    }

    /// The number of blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.times.first().map_or(0, Vec::len)
    }

    /// The times of a class in nanoseconds, in the order of the blocks.
    pub(crate) fn times(&self, class: usize) -> Vec<f64> {
        self.times[class].iter().map(|time| f64::from(*time)).collect()
    }

    /// How much longer a class took than another in each block, in nanoseconds.
    pub(crate) fn differences(&self, class: usize, reference: usize) -> Vec<f64> {
        let pairs = self.times[class].iter().zip(&self.times[reference]);
        pairs.map(|(time, reference)| f64::from(*time) - f64::from(*reference)).collect()
    }
}

/// Most blocks that warm up.
const MAX_WARM_UP: usize = 2_000;

/// Returns values in their order.
pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Times every class once, in an order drawn anew.
fn block(subject: &mut dyn Subject, classes: usize, rng: &mut Rng) -> Result<Vec<f32>, String> {
    let mut order: Vec<usize> = (0..classes).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, rng.below(last + 1));
    }
    subject.prepare(rng);
    let mut times = vec![0.0; classes];
    for class in order {
        // A float of 32 bits keeps a time of a millisecond to a tenth of a nanosecond.
        #[expect(clippy::cast_possible_truncation, reason = "as precise as the clock")]
        let time = subject.time(class)? as f32;
        times[class] = time;
    }
    Ok(times)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::timing::statistics::normal;

    /// A machine that is simulated: it takes as long as the class says, and noise.
    #[derive(Debug)]
    pub(crate) struct Simulated {
        pub(crate) nanoseconds: Vec<f64>,
        pub(crate) noise: f64,
        pub(crate) rng: Rng,
        pub(crate) orders: Vec<Vec<usize>>,
    }

    impl Simulated {
        pub(crate) fn new(nanoseconds: &[f64], noise: f64) -> Self {
            let (nanoseconds, rng) = (nanoseconds.to_vec(), Rng::new(11));
            Self { nanoseconds, noise, rng, orders: Vec::new() }
        }
    }

    impl Subject for Simulated {
        fn prepare(&mut self, _: &mut Rng) {
            self.orders.push(Vec::new());
        }

        fn time(&mut self, class: usize) -> Result<f64, String> {
            self.orders.last_mut().expect("a block has begun").push(class);
            Ok(self.nanoseconds[class] + self.noise * normal(&mut self.rng))
        }
    }

    pub(crate) const PLAN: Plan = Plan {
        blocks: 200,
        rounds: 4,
        target: 10.0,
        pairs: 1,
        limit: 0.0,
        time: None,
        discards: false,
    };

    fn take(subject: &mut Simulated, plan: Plan) -> Samples {
        let classes = subject.nanoseconds.len();
        Samples::take(subject, classes, plan, &mut Rng::new(1), &mut |_, _, _| ()).unwrap()
    }

    #[test]
    fn every_block_has_every_class_once_in_an_order_of_its_own() {
        let mut subject = Simulated::new(&[100.0, 200.0, 300.0], 1.0);
        let samples = take(&mut subject, PLAN);
        assert_eq!(samples.blocks(), 200, "precise after the first round");
        let mut first = [0; 3];
        for order in &subject.orders {
            assert_eq!(order.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
            first[order[0]] += 1;
        }
        assert_eq!(subject.orders.len(), 220, "a tenth warms up");
        assert!(first.iter().all(|count| (50..100).contains(count)), "{first:?}");
        assert!(samples.differences(2, 0).iter().all(|it| (180.0..220.0).contains(it)));
        assert!(samples.times(1).iter().all(|it| (180.0..220.0).contains(it)));
        let mut again = Simulated::new(&[100.0, 200.0, 300.0], 1.0);
        take(&mut again, PLAN);
        assert_eq!(again.orders, subject.orders, "by the seed");
    }

    #[test]
    fn noise_takes_more_blocks_but_no_more_than_allowed() {
        assert_eq!(take(&mut Simulated::new(&[0.0; 2], 1e4), PLAN).blocks(), 800);
        let plan = Plan { rounds: 1, ..PLAN };
        assert_eq!(take(&mut Simulated::new(&[0.0; 2], 1e4), plan).blocks(), 200);
    }

    #[test]
    fn time_that_is_over_ends_it_with_a_window_at_least() {
        let plan = Plan { time: Some(Duration::ZERO), ..PLAN };
        assert_eq!(take(&mut Simulated::new(&[0.0; 2], 1.0), plan).blocks(), WINDOW);
    }

    #[test]
    fn a_subject_that_fails_ends_it() {
        struct Gone;
        impl Subject for Gone {
            fn prepare(&mut self, _: &mut Rng) {}
            fn time(&mut self, _: usize) -> Result<f64, String> {
                Err("gone".to_owned())
            }
        }
        let taken = Samples::take(&mut Gone, 2, PLAN, &mut Rng::new(1), &mut |_, _, _| ());
        assert_eq!(taken.unwrap_err(), "gone");
    }
}
