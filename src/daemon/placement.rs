//! Which thread an object lives on.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_rt::{Arbiter, ArbiterHandle};

/// Something to be done on the thread of an arbiter.
pub type Task = Box<dyn FnOnce() + Send>;

/// Gives objects their threads. A simulation, which has only one, brings its own.
pub trait Placement: Send + Sync {
    /// The seat of a new object.
    fn choose(&self) -> usize;
    /// The object at this seat is gone.
    fn leave(&self, seat: usize);
    /// Does something on the thread of a seat.
    fn run(&self, seat: usize, task: Task);
}

/// One arbiter for each core; a new object goes where the fewest are.
pub struct Arbiters(Vec<(ArbiterHandle, AtomicUsize)>);

impl Arbiters {
    /// Starts `count` arbiters, at least one.
    ///
    /// # Panics
    /// Outside of an actix system.
    pub fn start(count: usize) -> Arbiters {
        Arbiters((0..count.max(1)).map(|_| (Arbiter::new().handle(), AtomicUsize::new(0))).collect())
    }

    /// As many as the machine has cores.
    ///
    /// # Panics
    /// Outside of an actix system.
    pub fn of_machine() -> Arbiters {
        Arbiters::start(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Placement for Arbiters {
    fn choose(&self) -> usize {
        let least = self.0.iter().enumerate().min_by_key(|(_, (_, objects))| objects.load(Ordering::Relaxed));
        let seat = least.map_or(0, |(seat, _)| seat);
        self.0[seat].1.fetch_add(1, Ordering::Relaxed);
        seat
    }

    fn leave(&self, seat: usize) {
        self.0[seat].1.fetch_sub(1, Ordering::Relaxed);
    }

    fn run(&self, seat: usize, task: Task) {
        self.0[seat].0.spawn_fn(task);
    }
}

impl Drop for Arbiters {
    fn drop(&mut self) {
        for (arbiter, _) in &self.0 {
            arbiter.stop();
        }
    }
}

/// Everything on the thread that the daemon was bound on: for tests, simulations, and programs that shall have one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Here;

impl Placement for Here {
    fn choose(&self) -> usize {
        0
    }

    fn leave(&self, _: usize) {}

    fn run(&self, _: usize, task: Task) {
        // Not spawned: connections are served from tasks that belong to no `LocalSet`, and nothing else is asked for elsewhere.
        task();
    }
}
