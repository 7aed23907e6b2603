//! What came of the attempts of a call that was told to try again.

use std::fmt;

/// Ways of ending that are told apart; what comes beyond them is only counted.
const MAX_KINDS: usize = 16;

/// The attempts of a call before its last one. A call may make hundreds, so those in a row that ended alike are one [`Attempt`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    count: u32,
    kinds: Vec<Attempt>,
}

/// One attempt, or several in a row that ended alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How many.
    pub times: u32,
    /// How they ended.
    pub problem: String,
}

impl Attempts {
    /// One more has ended, and so.
    pub fn add(&mut self, problem: String) {
        self.count = self.count.saturating_add(1);
        let kinds = self.kinds.len();
        match self.kinds.last_mut() {
            Some(last) if last.problem == problem => last.times = last.times.saturating_add(1),
            _ if kinds < MAX_KINDS => self.kinds.push(Attempt { times: 1, problem }),
            _ => {}
        }
    }

    /// How many there were.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How they ended, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.kinds.iter()
    }
}

/// An attempt a line, as in `pyroxene::report`.
impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = 0;
        for Attempt { times, problem } in &self.kinds {
            told += times;
            match times {
                1 => writeln!(f, "  before: {problem}")?,
                times => writeln!(f, "  before, {times} times: {problem}")?,
            }
        }
        match self.count - told {
            0 => Ok(()),
            more => writeln!(f, "  before: {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_in_a_row_that_ended_alike_are_told_as_one() {
        let mut attempts = Attempts::default();
        for problem in ["full", "full", "gone", "full"] {
            attempts.add(problem.to_owned());
        }
        assert_eq!(attempts.count(), 4);
        assert_eq!(attempts.to_string(), "  before, 2 times: full\n  before: gone\n  before: full\n");
    }

    #[test]
    fn a_long_history_is_counted_and_not_kept() {
        let mut attempts = Attempts::default();
        for number in 0..100 {
            attempts.add(format!("problem {number}"));
        }
        assert_eq!(attempts.iter().count(), MAX_KINDS);
        assert!(attempts.to_string().ends_with("  before: 84 more\n"), "{attempts}");
    }
}
