//! A folder for the database of one run.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

/// Gone when dropped, with all that is in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("throughline-signup-{}-{number}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder for temporary files is the right place for what can't be removed.
        let _ = fs::remove_dir_all(&self.0);
    }
}
