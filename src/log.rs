//! Log lines: `slog`, written by `slog-term` to stderr, off unless asked for.
//!
//! What peers choose (names, texts) is escaped before it is written, so that nobody forges a line.

use std::io::{self, Write};
use std::sync::Mutex;

use slog::{Drain, Level, Logger};

/// Bytes of one line; what is longer is cut.
const MAX_LINE: usize = 4_096;

/// A logger for `off`, `error`, `warning`, `info`, `debug` or `trace`; anything else is off.
///
/// ```
/// let log = pyroxene::log::logger("off");
/// slog::info!(log, "nobody sees this");
/// ```
pub fn logger(level: &str) -> Logger {
    match level.parse::<Level>() {
        Ok(level) => to_writer(level, io::stderr()),
        Err(()) => Logger::root(slog::Discard, slog::o!()),
    }
}

/// A logger of lines at `level` and above.
pub fn to_writer(level: Level, writer: impl Write + Send + 'static) -> Logger {
    let decorator = slog_term::PlainSyncDecorator::new(Escaped { writer: Mutex::new(writer), line: Vec::new() });
    let drain = slog_term::FullFormat::new(decorator).use_utc_timestamp().build();
    Logger::root(Filtered { drain: drain.fuse(), level }.fuse(), slog::o!())
}

/// Passes on what is important enough, and can say beforehand whether a line would be.
struct Filtered<D> {
    drain: D,
    level: Level,
}

impl<D: Drain> Drain for Filtered<D> {
    type Ok = Option<D::Ok>;
    type Err = D::Err;

    fn log(&self, record: &slog::Record<'_>, values: &slog::OwnedKVList) -> Result<Self::Ok, Self::Err> {
        if record.level().is_at_least(self.level) { self.drain.log(record, values).map(Some) } else { Ok(None) }
    }

    fn is_enabled(&self, level: Level) -> bool {
        level.is_at_least(self.level)
    }
}

/// Writes whole lines with their control characters escaped: `slog-term` writes them as they come.
struct Escaped<W: Write> {
    writer: Mutex<W>,
    line: Vec<u8>,
}

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// `slog-term` flushes once after each record.
    fn flush(&mut self) -> io::Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        let mut line = escape(&self.line);
        line.push('\n');
        self.line.clear();
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writer.write_all(line.as_bytes())?;
        writer.flush()
    }
}

fn escape(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if escaped.len() >= MAX_LINE {
            escaped.push('…');
            break;
        }
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let kept = Kept::default();
        let log = to_writer(Level::Info, kept.clone());
        slog::info!(log, "registered"; "name" => "eve\nFeb 30 00:00:00 INFO all is well \u{1b}[31m");
        drop(log);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.trim_end().contains(|c: char| c.is_control()), "{text}");
        assert!(text.contains(r"eve\nFeb"), "{text}");
    }

    #[test]
    fn what_is_not_important_enough_is_not_written() {
        let kept = Kept::default();
        let log = to_writer(Level::Warning, kept.clone());
        slog::info!(log, "hush");
        assert!(!log.is_enabled(Level::Info));
        assert!(kept.0.lock().unwrap().is_empty());
    }

    #[test]
    fn off_is_off() {
        assert!(!logger("off").is_enabled(Level::Critical));
    }
}
