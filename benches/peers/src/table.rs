//! A table for people: aligned, with footnotes, coloured on a terminal.

use std::fmt;
use std::io::{IsTerminal, Write};

use anyhow::Result;

/// Rows of figures below headings.
#[derive(Debug, Default)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Row>,
    captions: Vec<String>,
    notes: Vec<String>,
}

#[derive(Debug)]
pub struct Row {
    title: String,
    cells: Vec<Cell>,
    look: Look,
}

#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    /// The number of its footnote.
    note: Option<usize>,
    look: Look,
}

/// What is brought out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Plain,
    Bold,
    Dim,
    Red,
}

impl Cell {
    pub fn figure(text: String) -> Cell {
        Cell { text, note: None, look: Look::Plain }
    }

    /// There is nothing to measure.
    pub fn none() -> Cell {
        Cell { text: "–".to_owned(), note: None, look: Look::Dim }
    }

    pub fn failed() -> Cell {
        Cell { text: "failed".to_owned(), note: None, look: Look::Red }
    }

    /// With a footnote, of this number.
    pub fn noted(self, note: usize) -> Cell {
        Cell { note: Some(note), ..self }
    }

    fn width(&self) -> usize {
        self.text.chars().count() + self.note.map_or(0, |note| superscript(note).chars().count())
    }
}

impl Row {
    pub fn new(title: &str, cells: Vec<Cell>) -> Row {
        Row { title: title.to_owned(), cells, look: Look::Plain }
    }

    /// What the others are compared with.
    pub fn limit(self) -> Row {
        Row { look: Look::Dim, ..self }
    }

    pub fn ours(self) -> Row {
        Row { look: Look::Bold, ..self }
    }
}

impl Table {
    pub fn new(headings: impl Iterator<Item = String>) -> Table {
        Table { headings: headings.collect(), ..Table::default() }
    }

    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// A line that says what the headings mean.
    pub fn caption(&mut self, line: String) {
        self.captions.push(line);
    }

    /// The number of a footnote; the same text has the same number.
    pub fn note(&mut self, text: &str) -> usize {
        let at = self.notes.iter().position(|note| note == text).unwrap_or_else(|| {
            self.notes.push(text.to_owned());
            self.notes.len() - 1
        });
        at + 1
    }

    /// To stdout, with colours if that is a terminal and `NO_COLOR` is not set.
    pub fn print(&self) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        let coloured = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        write!(stdout, "{}", self.text(coloured))?;
        Ok(())
    }

    fn text(&self, coloured: bool) -> String {
        let paint = |text: &str, look| if coloured { painted(text, look) } else { text.to_owned() };
        let first = self.rows.iter().map(|row| row.title.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (self.headings.iter().enumerate())
            .map(|(at, heading)| {
                let cells = self.rows.iter().filter_map(|row| row.cells.get(at)).map(Cell::width);
                cells.chain([heading.chars().count()]).max().unwrap_or(0)
            })
            .collect();
        let mut lines = vec![" ".repeat(first)];
        for (heading, width) in self.headings.iter().zip(&widths) {
            lines[0] += &format!("  {}", paint(&format!("{heading:>width$}"), Look::Bold));
        }
        for row in &self.rows {
            let mut line = paint(&format!("{:first$}", row.title), row.look);
            for (cell, width) in row.cells.iter().zip(&widths) {
                let gap = " ".repeat(2 + width.saturating_sub(cell.width()));
                let look = if cell.look == Look::Plain { row.look } else { cell.look };
                line += &(gap
                    + &paint(&cell.text, look)
                    + &paint(&cell.note.map(superscript).unwrap_or_default(), Look::Dim));
            }
            lines.push(line);
        }
        lines.push(String::new());
        lines.extend(self.captions.iter().map(|caption| paint(caption, Look::Dim)));
        let notes = self.notes.iter().enumerate().map(|(at, note)| format!("{} {note}", superscript(at + 1)));
        lines.extend(notes.map(|note| paint(&note, Look::Dim)));
        lines.join("\n") + "\n"
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(false))
    }
}

fn superscript(number: usize) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number.to_string().bytes().map(|digit| digits[usize::from(digit - b'0')]).collect()
}

fn painted(text: &str, look: Look) -> String {
    let code = match look {
        Look::Plain => return text.to_owned(),
        _ if text.is_empty() => return String::new(),
        Look::Bold => 1,
        Look::Dim => 2,
        Look::Red => 31,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_notes_are_shared() {
        let mut table = Table::new(["W1 1c", "W5 2c"].into_iter().map(str::to_owned));
        table.caption("W1: one call in flight".to_owned());
        table.push(
            Row::new("raw", vec![Cell::figure("56 k/s".to_owned()), Cell::figure("9.00 M/s".to_owned())]).limit(),
        );
        let none = Cell::none().noted(table.note("it has no oneway calls"));
        table.push(Row::new("tarpc 0.38", vec![Cell::figure("0.65".to_owned()), none.clone()]));
        assert_eq!(table.note("it has no oneway calls"), 1);
        table.push(Row::new("other", vec![Cell::failed().noted(table.notes.len()), none]));
        let lines = [
            "              W1 1c     W5 2c",
            "raw          56 k/s  9.00 M/s",
            "tarpc 0.38     0.65        –¹",
            "other       failed¹        –¹",
            "",
            "W1: one call in flight",
            "¹ it has no oneway calls",
            "",
        ];
        assert_eq!(table.to_string(), lines.join("\n"));
    }

    #[test]
    fn colours_do_not_change_what_is_said() {
        let mut table = Table::new(std::iter::once("W1".to_owned()));
        table.push(Row::new("ours", vec![Cell::figure("0.92".to_owned()).noted(12)]).ours());
        let coloured = table.text(true);
        assert!(coloured.contains("\x1b[1m0.92\x1b[0m\x1b[2m¹²\x1b[0m"), "{coloured:?}");
        let plain = coloured.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert_eq!(plain, table.to_string());
    }
}
