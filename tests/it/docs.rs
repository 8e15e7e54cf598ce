//! What the documentation shows is what happens: its blocks are run, its tables are complete.
//!
//! Each document is walked in order, in a directory of its own. The info string says what a block is:
//!
//! - `LANGUAGE file PATH`: the block is written there.
//! - `toml config PATH`, `toml rule PATH`: written as well, and `openeventd check` must accept it.
//! - `console`: each line after `$ ` is run, and the lines below it are its output, errors included;
//!   `console exit=N` if it ends with N. What differs from run to run is shown as `[..]` within a line, or as a
//!   line `...` for any number of lines.
//! - `console not-run REASON`: cannot run here, for one of the reasons in [`blocks::NOT_RUN`].
//! - `sql`: gives rows from an audit database that holds one of each; `sql empty`: gives none.
//! - `text`: a drawing or an excerpt.
//!
//! Any other block fails the test. `docs/rules.md` has examples of its own kinds, run by `rules::documented`.

mod audit;
mod blocks;
mod complete;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use self::blocks::{Block, Kind};
use tempfile::TempDir;

/// The documents whose blocks are run here.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![PathBuf::from("README.md"), PathBuf::from("CONTRIBUTING.md")];
    for entry in fs::read_dir(root.join("docs")).expect("the directory is listed") {
        paths.push(Path::new("docs").join(entry.expect("the entry is read").file_name()));
    }
    paths.sort();
    paths
        .into_iter()
        .filter(|path| path != Path::new("docs/rules.md"))
        .map(|path| (path.display().to_string(), fs::read_to_string(root.join(&path)).expect("it is text")))
        .collect()
}

fn document(name: &str) -> String {
    documents().into_iter().find(|(path, _)| path == name).expect(name).1
}

/// Where the blocks of one document are run.
struct Place {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

impl Place {
    /// Holds an audit database, the settings that name it as an installation's do, and every secret that
    /// `text` names.
    fn of(text: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = directory.path();
        fs::create_dir(root.join("credentials")).expect("the directory is made");
        for name in blocks::named(text, "credential = \"") {
            fs::write(root.join("credentials").join(name), "a-secret").expect("the file is written");
        }
        for name in blocks::named(text, "ssl_ca_location = \"") {
            fs::write(root.join(name), "").expect("the file is written");
        }
        let bin = Path::new(env!("CARGO_BIN_EXE_openeventd")).parent().expect("it lies somewhere");
        let installed = root.join("installed.toml");
        let database = root.join("audit.db");
        fs::write(&installed, format!("[store]\npath = \"{}\"\n", database.display()))
            .expect("it is written");
        let mut environment = vec![
            ("OPENEVENTD_CONFIG".into(), installed.display().to_string()),
            ("PATH".into(), format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())),
            ("HOME".into(), root.display().to_string()),
            ("CREDENTIALS_DIRECTORY".into(), root.join("credentials").display().to_string()),
        ];
        for name in blocks::named(text, "env = \"") {
            environment.push((name.to_owned(), "a-secret".into()));
        }
        audit::write(&database);
        Place { directory, environment }
    }

    fn run(&self, command: &mut Command) -> (i32, String) {
        let Output { status, stdout, stderr } = command
            .current_dir(self.directory.path())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .expect("the program is installed");
        let mut output = String::from_utf8(stderr).expect("the output is UTF-8");
        output.push_str(&String::from_utf8(stdout).expect("the output is UTF-8"));
        (status.code().expect("no signal ended it"), output)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().expect("it has a parent")).expect("directories are made");
        fs::write(path, text).expect("the file is written");
    }

    /// What is wrong with `block`, if anything is.
    fn try_block(&self, block: &Block) -> Result<(), String> {
        match &block.kind {
            Kind::Shown | Kind::NotRun => Ok(()),
            Kind::File { path } => {
                self.write(path, &block.text);
                Ok(())
            }
            Kind::Config { path } => {
                self.write(path, &block.text);
                self.check(path)
            }
            Kind::Rule { path } => {
                self.write(path, &block.text);
                if !self.directory.path().join("openeventd.toml").exists() {
                    return Err("a rule needs an openeventd.toml before it".into());
                }
                self.check("openeventd.toml")
            }
            Kind::Console { exit } => {
                blocks::commands(&block.text).into_iter().try_for_each(|shown| self.repeat(&shown, *exit))
            }
            Kind::Sql { empty } => {
                let arguments = ["-readonly", "-bail", "audit.db", &block.text];
                let (exit, output) = self.run(Command::new("sqlite3").args(arguments));
                let is_right = exit == 0 && output.is_empty() == *empty;
                is_right.then_some(()).ok_or(format!("sqlite3 ended with {exit} and said:\n{output}"))
            }
        }
    }

    fn check(&self, path: &str) -> Result<(), String> {
        let arguments = ["check", "--config", path];
        let (exit, output) = self.run(Command::new(env!("CARGO_BIN_EXE_openeventd")).args(arguments));
        (exit == 0).then_some(()).ok_or(output)
    }

    fn repeat(&self, shown: &blocks::Shown, expected: i32) -> Result<(), String> {
        let (exit, output) = self.run(Command::new("sh").args(["-c", &shown.command]));
        let is_right = exit == expected && blocks::is_shown(&shown.output, &output);
        is_right.then_some(()).ok_or(format!("`{}` ended with {exit} and said:\n{output}", shown.command))
    }
}

#[test]
fn every_block_of_the_documents_does_what_it_shows() {
    let mut failures = Vec::new();
    let mut run = 0;
    for (path, text) in documents() {
        let place = Place::of(&text);
        for block in blocks::of(&text) {
            let tried = block.and_then(|block| place.try_block(&block).map_err(|told| (block.line, told)));
            run += 1;
            if let Err((line, told)) = tried {
                failures.push(format!("{path}:{line}: {told}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(run >= 30, "only {run} blocks were found");
}

#[test]
fn a_block_of_unknown_kind_is_found() {
    for planted in ["```\nx\n```", "```bash\nx\n```", "```console not-run\nx\n```", "```toml\nx\n```"] {
        assert!(blocks::of(planted).into_iter().all(|block| block.is_err()), "{planted}");
    }
    let place = Place::of("");
    for right in ["one [..]\nthree", "...\nthree", "one two\n...", "[..]e [..]o\n..."] {
        let shown = format!("```console\n$ echo one two; echo three\n{right}\n```");
        let blocks = blocks::of(&shown);
        place.try_block(blocks[0].as_ref().expect("it is a block")).expect("this is what is printed");
    }
    for (planted, told) in [
        ("```sql\nselect * from absent\n```", "no such table"),
        ("```sql\nselect 1 where 0\n```", "ended with 0"),
        ("```console\n$ openeventd --version\nopeneventd 0.0\n```", "ended with 0"),
        ("```console\n$ echo one two; echo three\none [..]\nfour\n```", "ended with 0"),
        ("```console\n$ echo one two; echo three\n...\ntwo\n```", "ended with 0"),
        ("```toml config wrong.toml\n[kafka]\n```", "required"),
    ] {
        let blocks: Vec<_> = blocks::of(planted).into_iter().map(|block| block.expect(planted)).collect();
        let error = place.try_block(&blocks[0]).expect_err(planted);
        assert!(error.contains(told), "{error}");
    }
}
