//! Snapshots as files.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::daemon::keyed::store::{SnapshotStore, StoreFuture};
use crate::object::fnv::Fnv;

/// So many characters of an id are in one part of a path: file systems allow 255 bytes.
const PART: usize = 200;
/// Files of ids end like this, directories of long ids and files that are being written otherwise.
const FILE: &str = ".snapshot";
const DIRECTORY: &str = "+";
const UNFINISHED: &str = "+unfinished";

/// Snapshots in a directory, one file for each object. What was saved is on the disk, and a file is the old one or the new one, whenever the
/// machine stops. A handle: clones are the same store.
///
/// ```no_run
/// # fn example() -> std::io::Result<()> {
/// let store = pyroxene::DirectoryStore::open("accounts")?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DirectoryStore(Arc<Directory>);

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Nobody else writes here while it is open.
    _lock: File,
}

impl DirectoryStore {
    /// Opens the directory, and makes it if it is not there.
    ///
    /// # Errors
    /// It cannot be made or written to, or another process has it open.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<DirectoryStore> {
        let path = path.into();
        let told = |problem: io::Error| {
            io::Error::new(problem.kind(), format!("cannot keep snapshots in {}: {problem}", path.display()))
        };
        make(&path).map_err(told)?;
        let lock = File::options().create(true).write(true).truncate(false).open(path.join("lock")).map_err(told)?;
        lock.try_lock().map_err(|problem| {
            told(match problem {
                TryLockError::WouldBlock => {
                    io::Error::new(ErrorKind::ResourceBusy, "it is in use; give each daemon a directory of its own")
                }
                TryLockError::Error(problem) => problem,
            })
        })?;
        Ok(DirectoryStore(Arc::new(Directory { path, _lock: lock })))
    }

    /// Does something with the file of an id, where waiting for the disk disturbs nobody.
    fn run<'a, T: Send + 'static>(
        &self,
        id: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        let (directory, file) = (Arc::clone(&self.0), self.0.path.join(file(id)));
        Box::pin(async move {
            let worked = tokio::task::spawn_blocking(move || {
                // It stays locked until this is done.
                let _directory = directory;
                work(&file).map_err(|problem| format!("{}: {problem}", file.display()))
            });
            Ok(worked.await??)
        })
    }
}

impl SnapshotStore for DirectoryStore {
    fn load<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.run(id, |file| found(fs::read(file)))
    }

    fn save<'a>(&'a self, id: &'a str, snapshot: Vec<u8>) -> StoreFuture<'a, ()> {
        self.run(id, move |file| write(file, &snapshot))
    }

    fn remove<'a>(&'a self, id: &'a str) -> StoreFuture<'a, ()> {
        self.run(id, |file| match found(fs::remove_file(file))? {
            Some(()) => keep(file.parent()),
            None => Ok(()),
        })
    }
}

/// Nothing where there is nothing.
fn found<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(there) => Ok(Some(there)),
        Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Writes beside it, then puts it in its place.
fn write(file: &Path, snapshot: &[u8]) -> io::Result<()> {
    let parent = file.parent().unwrap_or(Path::new("."));
    make(parent)?;
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let mut new = File::create(&unfinished)?;
    new.write_all(snapshot)?;
    new.sync_all()?;
    fs::rename(&unfinished, file)?;
    keep(Some(parent))
}

/// Makes a directory, and all that it is in, if they are not there.
fn make(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent();
    parent.map_or(Ok(()), make)?;
    match fs::create_dir(directory) {
        // Somebody else was faster.
        Err(problem) if problem.kind() == ErrorKind::AlreadyExists => {}
        made => made?,
    }
    keep(parent)
}

/// What is called how in a directory stays so when the machine stops.
fn keep(directory: Option<&Path>) -> io::Result<()> {
    match directory {
        // Elsewhere a directory cannot be opened, and a rename is kept by itself.
        Some(directory) if cfg!(unix) && !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

/// The file of an id below the directory: among those of 256, so that none gets too large, and different for different ids also where upper
/// and lower case are the same.
fn file(id: &str) -> PathBuf {
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02x}")),
        }
    }
    let mut path = PathBuf::from(format!("{:02x}", Fnv::of(id.as_bytes()) & 0xff));
    let mut rest = text.as_str();
    while let Some((part, more)) = rest.split_at_checked(PART).filter(|(_, more)| !more.is_empty()) {
        path.push(format!("{part}{DIRECTORY}"));
        rest = more;
    }
    path.push(format!("{rest}{FILE}"));
    path
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A directory that is removed when the test is over.
    struct Place(PathBuf);

    impl Place {
        fn new() -> Place {
            Place(std::env::temp_dir().join(format!("pyroxene-{:032x}", rand::random::<u128>())))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn what_was_saved_last_is_there_until_it_is_removed() {
        let place = Place::new();
        let long = "ü".repeat(120);
        {
            let store = DirectoryStore::open(&place.0).unwrap();
            for id in ["a.b", "A.b", &long] {
                assert_eq!(store.load(id).await.unwrap(), None);
                store.save(id, b"first".to_vec()).await.unwrap();
                store.save(id, id.as_bytes().to_vec()).await.unwrap();
            }
        }
        let store = DirectoryStore::open(&place.0).unwrap();
        for id in ["a.b", "A.b", &long] {
            assert_eq!(store.load(id).await.unwrap().as_deref(), Some(id.as_bytes()));
        }
        store.remove("a.b").await.unwrap();
        store.remove("a.b").await.unwrap();
        assert_eq!(store.load("a.b").await.unwrap(), None);
        assert!(store.load("A.b").await.unwrap().is_some());
    }

    #[test]
    fn a_directory_has_one_user() {
        let place = Place::new();
        let store = DirectoryStore::open(&place.0).unwrap();
        let problem = DirectoryStore::open(&place.0).unwrap_err().to_string();
        assert!(problem.contains("give each daemon a directory of its own"), "{problem}");
        drop(store);
        assert!(DirectoryStore::open(&place.0).is_ok());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_named_and_the_old_one_stays() {
        let place = Place::new();
        let store = DirectoryStore::open(&place.0).unwrap();
        store.save("a.b", b"old".to_vec()).await.unwrap();
        let at = place.0.join(file("a.b"));
        let mut unfinished = at.clone().into_os_string();
        unfinished.push(UNFINISHED);
        // In the way of what is being written.
        fs::create_dir(unfinished).unwrap();
        let problem = store.save("a.b", b"new".to_vec()).await.unwrap_err().to_string();
        assert!(problem.contains("a.b.snapshot"), "{problem}");
        assert_eq!(store.load("a.b").await.unwrap().as_deref(), Some(&b"old"[..]));
    }

    proptest! {
        #[test]
        fn ids_that_differ_have_files_that_differ(ids in prop::collection::btree_set("[a-cA-C.+%~é_]{1,9}|a{195,410}", 1..40)) {
            let files: BTreeSet<String> = ids.iter().map(|id| file(id).display().to_string().to_lowercase()).collect();
            prop_assert_eq!(files.len(), ids.len());
            for file in &files {
                prop_assert!(Path::new(file).components().all(|part| part.as_os_str().len() < 250), "{}", file);
            }
        }
    }
}
