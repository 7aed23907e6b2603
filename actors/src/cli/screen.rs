//! The only place that writes to stdout and stderr: [`Screen`].

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::cli::failure::Failure;

/// Bold.
pub(super) const STRONG: Style = Style::new().bold();
/// For what is less important.
pub(super) const FAINT: Style = Style::new().dimmed();
/// For what went well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// For what went wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
/// For what nobody knows.
pub(super) const UNSURE: Style = AnsiColor::Yellow.on_default();
/// For what a user would write.
pub(super) const CODE: Style = AnsiColor::Cyan.on_default();

/// Writes for people on a terminal, for other programs, or as JSON for machines.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    json: bool,
    /// Somebody looks at it.
    terminal: bool,
    color: bool,
    /// Errors are told in full.
    verbose: bool,
}

impl Screen {
    pub(super) fn new(json: bool, color: ColorChoice, verbose: bool) -> Screen {
        let terminal = io::stdout().is_terminal();
        let color = !json
            && match color {
                ColorChoice::Always => true,
                ColorChoice::Never => false,
                ColorChoice::Auto => {
                    let says_no = |name, no: fn(&str) -> bool| std::env::var(name).is_ok_and(|value| no(&value));
                    terminal
                        && !says_no("NO_COLOR", |value| !value.is_empty())
                        && !says_no("TERM", |value| value == "dumb")
                }
            };
        Screen { json, terminal, color, verbose }
    }

    /// Whether machines read this.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether colours are used.
    pub(super) fn has_color(&self) -> bool {
        self.color
    }

    /// Whether a person sees how something goes on.
    pub(super) fn shows_progress(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// The text in this style, if there are colours.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// A line as it is; a reader that has gone away does not want it.
    pub(super) fn line(&self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// A value for machines, on one line.
    pub(super) fn json<T: Serialize + ?Sized>(&self, value: &T) {
        if let Ok(text) = serde_json::to_string(value) {
            self.line(&text);
        }
    }

    /// A table on a terminal; elsewhere a line for each row, its fields separated by tabs.
    pub(super) fn table<const N: usize>(&self, header: [&str; N], rows: &[[String; N]]) {
        if !self.terminal {
            return rows.iter().for_each(|row| self.line(row.join("\t").trim_end()));
        }
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
        table.add_rows(rows.iter().cloned());
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for (number, line) in table.lines().enumerate() {
            // Painted last: what paints a cell would count as its width.
            let style = if number == 0 { STRONG } else { Style::new() };
            self.line(&self.paint(style, line.trim_end()));
        }
    }

    /// The one line on stderr that says what went wrong; for machines the same as JSON on stdout.
    pub(super) fn failed(&self, failure: &Failure) {
        if self.json {
            self.json(failure);
        }
        let mut out = io::stderr().lock();
        let head =
            if self.color && io::stderr().is_terminal() { format!("{BAD}error:{BAD:#}") } else { "error:".to_owned() };
        let more = if failure.report.is_some() && !self.verbose { "; -v shows the remote traceback" } else { "" };
        let _ = writeln!(out, "{head} {}{more}", one_line(&failure.error));
        if let (true, Some(report)) = (self.verbose, &failure.report) {
            let _ = write!(out, "{}", harmless(report));
        }
    }
}

/// Text from afar, in one line and without what would move a terminal's cursor.
pub(super) fn one_line(text: &str) -> String {
    harmless(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Text from afar without what would move a terminal's cursor; its lines stay.
pub(super) fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_from_afar_stays_one_harmless_line() {
        assert_eq!(one_line("no\n  such \u{1b}[2J thing\r\n"), r"no such \u{1b}[2J thing");
    }

    #[test]
    fn a_report_keeps_its_lines() {
        assert_eq!(harmless("a\n\u{7}b"), "a\n\\u{7}b");
    }
}
