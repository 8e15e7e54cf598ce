//! Reads the texts of the rule directory; what they mean is [`crate::rule::parse`]'s to say.
//!
//! Teams may use subdirectories. Files that end in `.toml` are rules, those in `.test.toml` are tests of
//! rules. Symbolic links are followed, as configuration management uses them, yet a loop of links ends at
//! the depth limit. Number, size and depth are limited, and a file that cannot be read is an error:
//! rules that are missing in silence would be worse.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{Exit, Failure};
use crate::rule::RuleFile;

/// Bytes of one rule file.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Rule files of one directory tree.
const FILES_MAX: usize = 20_000;
/// Directories below each other.
const DEPTH_MAX: usize = 8;
/// All entries that are looked at, whatever they are.
const ENTRIES_MAX: usize = 100_000;

/// Why the rule files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RuleFilesError {
    /// A directory cannot be listed.
    #[error("cannot list the rule directory {}", .path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read the rule file {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is not text.
    #[error("the rule file {} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// A file's name is not text.
    #[error("the name of the rule file {} is not UTF-8 text", .0.display())]
    NameNotText(PathBuf),
    /// A limit was passed.
    #[error("{} passes a limit of the rule directory: {limit}", .path.display())]
    Limit {
        /// Where.
        path: PathBuf,
        /// The limit in words.
        limit: String,
    },
}

/// What a person named is no directory.
#[derive(Debug, thiserror::Error)]
#[error("the rule directory {} cannot be listed: name one that exists", .path.display())]
struct NoDirectory {
    path: PathBuf,
    source: io::Error,
}

/// Reads the rule files below `directory`, in order of their paths. A directory that does not exist
/// holds no rules.
///
/// # Errors
/// Something below the directory cannot be read or passes a limit.
pub fn read(directory: &Path) -> Result<Vec<RuleFile>, RuleFilesError> {
    walk(directory, Kind::Rules)
}

/// The directory that a person named: one that is not there would be taken for one without rules.
///
/// # Errors
/// It cannot be listed.
pub fn existing(directory: &Path) -> Result<&Path, Failure> {
    match fs::read_dir(directory) {
        Ok(_) => Ok(directory),
        Err(source) => {
            let error = NoDirectory { path: directory.to_owned(), source };
            Err(Failure::new(Exit::NoInput, error))
        }
    }
}

/// Reads the tests of rules below `directory`, in order of their paths.
///
/// # Errors
/// Something below the directory cannot be read or passes a limit.
pub fn read_tests(directory: &Path) -> Result<Vec<RuleFile>, RuleFilesError> {
    walk(directory, Kind::Tests)
}

/// Which of the files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rules,
    Tests,
}

fn walk(directory: &Path, wanted: Kind) -> Result<Vec<RuleFile>, RuleFilesError> {
    let mut walk = Walk { wanted, files: Vec::new(), entries: 0 };
    match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        _ => walk.directory(directory, "", 0)?,
    }
    walk.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk.files)
}

/// What was found so far.
struct Walk {
    wanted: Kind,
    files: Vec<RuleFile>,
    entries: usize,
}

impl Walk {
    fn directory(&mut self, directory: &Path, name: &str, depth: usize) -> Result<(), RuleFilesError> {
        if depth > DEPTH_MAX {
            let limit = format!("{DEPTH_MAX} directories below each other (a loop of links?)");
            return Err(RuleFilesError::Limit { path: directory.to_owned(), limit });
        }
        let failed = |source| RuleFilesError::List { path: directory.to_owned(), source };
        for entry in fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            self.entries += 1;
            if self.entries > ENTRIES_MAX || self.files.len() > FILES_MAX {
                let limit = format!("{FILES_MAX} rule files, {ENTRIES_MAX} entries");
                return Err(RuleFilesError::Limit { path, limit });
            }
            self.entry(&path, name, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, parent: &str, depth: usize) -> Result<(), RuleFilesError> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(RuleFilesError::NameNotText(path.to_owned()));
        };
        // Editors and version control keep their own files in hidden ones.
        if name.starts_with('.') {
            return Ok(());
        }
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        let kind = path.file_stem().and_then(|stem| Path::new(stem).extension());
        let kind = if kind.is_some_and(|kind| kind == "test") { Kind::Tests } else { Kind::Rules };
        let is_wanted = is_toml && kind == self.wanted;
        let below = if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            // A dangling link matters only where a rule was expected.
            Err(_) if !is_wanted => return Ok(()),
            Err(source) => return Err(RuleFilesError::Read { path: path.to_owned(), source }),
        };
        if metadata.is_dir() {
            return self.directory(path, &below, depth + 1);
        }
        if is_wanted {
            let text = read_text(path, metadata.is_file())?;
            self.files.push(RuleFile { path: below, text });
        }
        Ok(())
    }
}

fn read_text(path: &Path, is_file: bool) -> Result<String, RuleFilesError> {
    let failed = |source| RuleFilesError::Read { path: path.to_owned(), source };
    if !is_file {
        // Opening a pipe would wait for its writer.
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        let limit = format!("{FILE_BYTES_MAX} bytes in a file");
        return Err(RuleFilesError::Limit { path: path.to_owned(), limit });
    }
    String::from_utf8(bytes).map_err(|_| RuleFilesError::NotText(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn paths(directory: &Path) -> Vec<String> {
        read(directory).expect("the rules can be read").into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn rule_files_are_found_in_team_directories_and_sorted() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = directory.path();
        for file in
            ["b.toml", "a.toml", "a.test.toml", "notes.md", "team-b/x.toml", "team-a/deep/y.toml", ".x.toml"]
        {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("it has a parent")).expect("directories are made");
            fs::write(path, file).expect("files are written");
        }
        assert_eq!(paths(root), ["a.toml", "b.toml", "team-a/deep/y.toml", "team-b/x.toml"]);
        let found = read_tests(root).expect("the tests can be read");
        assert_eq!(found.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a.test.toml"]);
        let texts = read(root).expect("the rules can be read");
        assert!(texts.iter().all(|file| file.path == file.text), "{texts:?}");
    }

    #[test]
    fn no_directory_is_no_rules() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        assert_eq!(paths(&directory.path().join("rules.d")), Vec::<String>::new());
    }

    #[test]
    fn links_are_followed_and_a_loop_of_links_ends_with_an_error() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = directory.path().join("rules.d");
        fs::create_dir(&root).expect("the directory is made");
        fs::write(directory.path().join("real.toml"), "").expect("the file is written");
        symlink(directory.path().join("real.toml"), root.join("linked.toml")).expect("the link is made");
        assert_eq!(paths(&root), ["linked.toml"]);
        symlink(&root, root.join("again")).expect("the link is made");
        let error = read(&root).expect_err("the links loop");
        assert!(error.to_string().contains("a loop of links?"), "{error}");
    }

    #[test]
    fn what_cannot_be_a_rule_is_an_error_with_its_path() {
        for (name, content) in
            [("bytes.toml", b"\xff\xfe".to_vec()), ("large.toml", vec![b'#'; (4 << 20) + 1])]
        {
            let directory = tempfile::tempdir().expect("a temporary directory");
            fs::write(directory.path().join(name), content).expect("the file is written");
            let error = read(directory.path()).expect_err("it is no rule file");
            assert!(error.to_string().contains(name), "{error}");
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        symlink("nowhere", directory.path().join("dangling.toml")).expect("the link is made");
        let error = read(directory.path()).expect_err("the link dangles");
        assert!(error.to_string().contains("dangling.toml"), "{error}");
        assert_eq!(read_tests(directory.path()).expect("there is no test"), []);
    }
}
