//! How the demonstration is told: [`Story`].

use std::cell::Cell;

use serde::Serialize;

use crate::cli::screen::{BAD, CODE, FAINT, GOOD, STRONG, Screen, UNSURE, harmless, one_line};

/// Whether a call ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ran {
    /// It did.
    Yes,
    /// It surely did not.
    No,
    /// Nobody knows.
    Maybe,
}

/// One call, and how it ended.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What is done, in words.
    pub(super) what: &'static str,
    /// What one writes for it.
    pub(super) code: &'static str,
    /// What it came to.
    pub(super) outcome: String,
    /// Whether it ran.
    pub(super) ran: Ran,
    /// What is to be noticed.
    pub(super) so: &'static str,
    /// A report, boxed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) report: Option<String>,
}

/// Writes for a person who has not read the manual; for machines only the steps, as JSON, one on a line.
pub(super) struct Story<'a> {
    screen: &'a Screen,
    chapter: Cell<u32>,
}

impl<'a> Story<'a> {
    pub(super) fn new(screen: &'a Screen) -> Story<'a> {
        Story { screen, chapter: Cell::new(0) }
    }

    /// What it is all about.
    pub(super) fn title(&self, text: &str) {
        self.write("", STRONG, "Pyroxene, demonstrated");
        self.write("", anstyle::Style::new(), text);
    }

    /// The next part.
    pub(super) fn chapter(&self, text: &str) {
        self.chapter.set(self.chapter.get() + 1);
        self.blank();
        self.write("", STRONG, &format!("{}. {text}", self.chapter.get()));
    }

    /// What one types into a shell.
    pub(super) fn shell(&self, line: &str) {
        self.write("   $ ", CODE, line);
    }

    /// What one writes in a program.
    pub(super) fn code(&self, line: &str) {
        self.write("   │ ", CODE, line);
    }

    /// What came of it.
    pub(super) fn came(&self, text: &str) {
        self.write("   → ", anstyle::Style::new(), text);
    }

    /// A call from its beginning to its end.
    pub(super) fn step(&self, step: &Step) {
        if self.screen.is_json() {
            return self.screen.json(step);
        }
        self.blank();
        self.write("   ", anstyle::Style::new(), step.what);
        self.code(step.code);
        let (style, ran) = match step.ran {
            Ran::Yes => (GOOD, "it ran"),
            Ran::No => (BAD, "it did not run"),
            Ran::Maybe => (UNSURE, "it may have run"),
        };
        self.write("   → ", style, &format!("{}  ({ran})", one_line(&step.outcome)));
        for line in step.report.as_deref().map(harmless).unwrap_or_default().lines() {
            self.write("     ", FAINT, line);
        }
        self.write("     ", FAINT, step.so);
    }

    /// Which of the calls ran.
    pub(super) fn summary(&self, steps: &[Step]) {
        let count = |ran: Ran| steps.iter().filter(|step| step.ran == ran).count();
        self.blank();
        let (yes, no, maybe) = (count(Ran::Yes), count(Ran::No), count(Ran::Maybe));
        self.write("   ", STRONG, &format!("Of {} calls {yes} ran, {no} did not, {maybe} may have:", steps.len()));
        self.write(
            "   ",
            anstyle::Style::new(),
            "the type of the error says which, so that a program knows what it may try again.",
        );
    }

    /// It went well.
    pub(super) fn end(&self) {
        self.blank();
        self.write("", GOOD, "All of it went as it should.");
    }

    fn blank(&self) {
        self.write("", anstyle::Style::new(), "");
    }

    fn write(&self, before: &str, style: anstyle::Style, text: &str) {
        if !self.screen.is_json() {
            let painted = if text.is_empty() { String::new() } else { self.screen.paint(style, text) };
            self.screen.line(format!("{before}{painted}").trim_end());
        }
    }
}
