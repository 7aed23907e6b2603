//! Who the user of `nsc` is, from one run to the next: what they register by hand is theirs to remove.
//!
//! A name belongs to the client that registered it, and each run of a program is a client of its own. So the commands that change names use
//! an identity that is kept in a file of the user's, made when it is first needed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The identity of this user; `None` when it cannot be kept, and each run is somebody else.
pub(super) fn of_user() -> Option<u64> {
    let file = file()?;
    read(&file).or_else(|_| make(&file)).ok()
}

fn file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    Some(state.join("pyroxene").join("identity"))
}

fn read(file: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(file)?;
    u64::from_str_radix(text.trim(), 16).map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))
}

fn make(file: &Path) -> io::Result<u64> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let identity: u64 = rand::random();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(mut new) => writeln!(new, "{identity:016x}").map(|()| identity),
        // Another run was faster.
        Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => read(file),
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once() {
        let file = std::env::temp_dir().join(format!("pyroxene-identity-{}", std::process::id())).join("identity");
        let made = make(&file).unwrap();
        assert_eq!(read(&file).unwrap(), made);
        assert_eq!(make(&file).unwrap(), made);
        fs::remove_dir_all(file.parent().unwrap()).unwrap();
    }
}
