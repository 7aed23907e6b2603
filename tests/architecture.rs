//! The rules of ARCHITECTURE.md, checked on the sources themselves: who may import whom, what is named in one folder only, how long a file
//! may be. A rule that nobody checks is a wish.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The folders of `src/`, bottom to top, and what each may import besides itself and `uri`, which is a pure type for all.
const FOLDERS: [(&str, &[&str]); 9] = [
    ("uri", &[]),
    ("wire", &[]),
    ("codec", &["wire"]),
    ("object", &["codec", "wire"]),
    ("transport", &["wire"]),
    ("peer", &["transport", "object", "codec", "wire"]),
    ("client", &["peer", "transport", "object", "codec", "wire"]),
    ("naming", &["client", "peer", "transport", "object", "codec", "wire"]),
    ("daemon", &["client", "peer", "transport", "object", "codec", "wire"]),
];

/// Macros stand at the crate's root, whichever folder they belong to.
const MACROS: [(&str, &str); 1] = [("args", "codec")];

/// Where actix is named outside of `src/daemon/`, and why.
const NAMES_ACTIX: [(&str, &str); 2] = [
    ("src/naming/interface.rs", "with the feature `daemon`, the name server's messages are actix messages as well"),
    ("src/private.rs", "hands actix to the code that the macros write"),
];

/// What opens or holds a socket; addresses do not.
const SOCKETS: [&str; 8] =
    ["socket2", "TcpStream", "TcpListener", "TcpSocket", "UdpSocket", "UnixStream", "UnixListener", "UnixDatagram"];

/// Lines of one file, without its tests.
const MAX_LINES: usize = 600;
/// The same of the file in the middle.
const MAX_MEDIAN: usize = 200;

#[test]
fn nothing_is_imported_that_the_table_does_not_allow() {
    let mut problems = Vec::new();
    for source in sources("src") {
        let Some(folder) = source.folder() else { continue };
        for (import, line) in source.imports() {
            if import != folder && import != "uri" && !allowed(folder).contains(&import.as_str()) {
                problems.push(format!("{}:{line}: `{folder}` must not use `crate::{import}`", source.path));
            }
        }
        for line in source.leaves_its_folder() {
            problems.push(format!("{}:{line}: `super` leaves `{folder}`; import by full path", source.path));
        }
    }
    none(&problems);
}

#[test]
fn folders_do_not_import_each_other_in_a_circle() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources("src") {
        let Some(folder) = source.folder() else { continue };
        let imports = source.imports().into_iter().map(|(import, _)| import).filter(|import| import != folder);
        edges.entry(folder.to_owned()).or_default().extend(imports);
    }
    assert_eq!(edges.len(), FOLDERS.len(), "a folder has no sources, or the table lacks one");
    // Who imports nothing that is left is at the bottom; whoever can never be taken away is part of a circle.
    while let Some(bottom) =
        edges.keys().find(|folder| edges[*folder].iter().all(|to| !edges.contains_key(to))).cloned()
    {
        edges.remove(&bottom);
    }
    assert!(edges.is_empty(), "these import each other in a circle: {edges:?}");
}

#[test]
fn actix_is_named_in_one_folder() {
    let mut problems = Vec::new();
    for source in sources("src") {
        let excepted = NAMES_ACTIX.iter().any(|(path, _)| *path == source.path);
        let named = source.find(&["actix", "actix_rt"]);
        if source.folder() != Some("daemon") && !excepted {
            problems.extend(named.iter().map(|line| format!("{}:{line}: names actix", source.path)));
        }
        if excepted && named.is_empty() {
            problems.push(format!("{} does not name actix any more; take the exception away", source.path));
        }
    }
    none(&problems);
}

#[test]
fn sockets_are_opened_in_one_folder() {
    let mut problems = Vec::new();
    for source in sources("src") {
        if source.folder() != Some("transport") {
            problems.extend(source.find(&SOCKETS).iter().map(|line| format!("{}:{line}: names a socket", source.path)));
        }
    }
    none(&problems);
}

#[test]
fn guests_do_not_know_each_other() {
    let mut problems = Vec::new();
    for source in sources("actors/src") {
        let guest = source.path["actors/src/".len()..].split('/').next().unwrap();
        // The program puts them together.
        if guest.ends_with(".rs") || guest == "cli" || guest == "bin" {
            continue;
        }
        let others = source.imports().into_iter().filter(|(import, _)| import != guest && guests().contains(import));
        problems.extend(others.map(|(other, line)| format!("{}:{line}: knows the guest `{other}`", source.path)));
    }
    none(&problems);
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, String)> = ["src", "actors/src", "macros/src"]
        .iter()
        .flat_map(|root| sources(root))
        .filter(|source| !source.is_test())
        .map(|source| (source.length(), source.path))
        .collect();
    lengths.sort();
    let (median, _) = lengths[lengths.len() / 2];
    assert!(median <= MAX_MEDIAN, "the median is {median} lines, over {MAX_MEDIAN}");
    let long: Vec<String> = lengths
        .iter()
        .filter(|(length, _)| *length > MAX_LINES)
        .map(|(length, path)| format!("{path} has {length} lines without its tests, over {MAX_LINES}"))
        .collect();
    none(&long);
}

#[test]
fn every_folder_says_what_it_is() {
    let mut problems = Vec::new();
    let all = ["src", "actors/src", "macros/src"].iter().flat_map(|root| sources(root));
    for source in all.filter(|source| source.path.ends_with("/mod.rs")) {
        let opening: String = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
        if opening.is_empty() {
            problems.push(format!("{} does not open with what it is", source.path));
        }
        if source.folder().is_some() && !(opening.contains("May use:") && opening.contains("Must never know:")) {
            problems.push(format!("{} does not say what it may use and must never know", source.path));
        }
    }
    none(&problems);
}

#[test]
fn the_document_has_the_same_table() {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (folder, may_use) in FOLDERS.iter().filter(|(folder, _)| *folder != "uri") {
        let row = document.lines().find(|line| line.starts_with(&format!("| `{folder}/` |")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for `{folder}/`"));
        let cell = row.split('|').nth(3).unwrap();
        let said: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert_eq!(&said, may_use, "the row of `{folder}/` in ARCHITECTURE.md");
    }
}

#[test]
fn the_reader_of_sources_sees_code_only() {
    let source = Source::new(
        "src/wire/frame.rs",
        r####"
//! crate::client, actix
/* TcpStream /* nested */ crate::peer */
use crate::{codec::Value, uri::{self, Uri}};
const A: &str = "crate::daemon \" actix"; const B: &[u8] = br#"crate::naming"#; const C: char = '"';
fn f<'a>(x: &'a str) -> pyroxene::object::Method { $crate::transport::x(super::super::y, TcpStreams) }
"####,
    );
    let imports: Vec<String> = source.imports().into_iter().map(|(import, _)| import).collect();
    assert_eq!(imports, ["codec", "uri", "object", "transport"]);
    assert_eq!(source.imports()[0].1, 4);
    assert!(source.find(&["actix", "TcpStream"]).is_empty());
    assert_eq!(source.leaves_its_folder(), [6]);
}

/// One file, and what is left of it without comments and literals.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned(), code: code_of(text) }
    }

    /// The folder of `src/` it belongs to; `None` at the top, which may use everything.
    fn folder(&self) -> Option<&str> {
        let first = self.path.strip_prefix("src/")?.split('/').next()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        FOLDERS.iter().map(|(folder, _)| *folder).find(|folder| *folder == name)
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Lines up to the tests.
    fn length(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{'));
        tests.unwrap_or(lines.len())
    }

    /// The first segment of each path that begins at the crate's root, with its line.
    fn imports(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        for root in ["crate::", "pyroxene::"] {
            for (at, _) in self.code.match_indices(root) {
                if self.code[..at].ends_with(is_word) {
                    continue;
                }
                let rest = &self.code[at + root.len()..];
                match rest.strip_prefix('{') {
                    Some(group) => found.extend(firsts(group).into_iter().map(|first| (at, first))),
                    None => found.push((at, word(rest))),
                }
            }
        }
        found.sort_by_key(|(at, _)| *at);
        let home = |first| MACROS.iter().find(|(name, _)| *name == first).map_or(first, |(_, folder)| *folder);
        found.into_iter().map(|(at, first)| (home(first).to_owned(), self.line(at))).collect()
    }

    /// Lines where `super` goes up so often that it leaves the folder.
    fn leaves_its_folder(&self) -> Vec<usize> {
        let parts = self.path.split('/').count() - 1;
        let depth = if self.path.ends_with("/mod.rs") { parts - 1 } else { parts };
        let up = "super::".repeat(depth);
        self.code.match_indices(&up).map(|(at, _)| self.line(at)).collect()
    }

    /// Lines where one of these words stands.
    fn find(&self, words: &[&str]) -> Vec<usize> {
        let mut lines = BTreeSet::new();
        for wanted in words {
            let hits = self.code.match_indices(wanted);
            let whole =
                hits.filter(|(at, _)| !self.code[..*at].ends_with(is_word) && word(&self.code[*at..]) == *wanted);
            lines.extend(whole.map(|(at, _)| self.line(at)));
        }
        lines.into_iter().collect()
    }

    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

/// The first segment of each path in `a::b, c::{d, e}}…`, up to the brace that closes it.
fn firsts(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.push(word(group[start..at].trim_start()));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|first| !first.is_empty());
    found
}

/// The word that the text begins with.
fn word(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text with a blank for every character of a comment or literal; lines stay where they are.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after_word = code.ends_with(is_word);
        match literal(rest).filter(|(_, prefixed)| !(*prefixed && after_word)) {
            Some((len, _)) => {
                code.extend(rest[..len].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
                rest = &rest[len..];
            }
            None => {
                code.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    code
}

/// The length of the comment or literal that the text begins with, and whether a letter begins it.
fn literal(text: &str) -> Option<(usize, bool)> {
    if text.starts_with("//") {
        return Some((text.find('\n').unwrap_or(text.len()), false));
    }
    if text.starts_with("/*") {
        return Some((block_comment(text), false));
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        // A lifetime has no second quote behind its first character.
        let first = quoted.chars().next()?;
        let len = if first == '\\' { 2 + quoted[2..].find('\'')? } else { first.len_utf8() };
        return quoted[len..].starts_with('\'').then_some((len + 2, false));
    }
    let bare = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - bare.len();
    if prefix > 1 {
        return None;
    }
    if let Some(quoted) = bare.strip_prefix('"') {
        let mut escaped = false;
        let end = quoted.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        return Some((prefix + end + 2, prefix > 0));
    }
    let hashed = bare.strip_prefix('r')?;
    let hashes = hashed.len() - hashed.trim_start_matches('#').len();
    let quoted = hashed[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some((prefix + 2 + hashes + quoted.find(&end)? + end.len(), true))
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn allowed(folder: &str) -> &'static [&'static str] {
    FOLDERS.iter().find(|(name, _)| *name == folder).map_or(&[], |(_, may_use)| may_use)
}

/// The folders of `actors/src/`.
fn guests() -> Vec<String> {
    let entries = fs::read_dir(root().join("actors/src")).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the repository, sorted.
fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source::new(&relative, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
