//! The dialogue of `openeventd init` on a terminal of its own.

use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{directory, mode, names};

/// How the terminal `tty` is set.
fn settings_of(tty: &str) -> String {
    let output =
        Command::new("stty").args(["-a", "-F", tty]).output().expect("it is installed with the base system");
    String::from_utf8_lossy(&output.stdout).replace(['\n', ';'], " ")
}

/// A terminal of its own: `script` makes one.
struct Terminal {
    script: Child,
    keyboard: ChildStdin,
    screen: BufReader<ChildStdout>,
    shown: String,
}

impl Terminal {
    /// Runs `command` there, after the terminal's name has been printed.
    fn start(directory: &Path, command: &str) -> Self {
        let mut script = Command::new("script")
            .args(["-qefc", &format!("tty; {command}"), "/dev/null"])
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script is installed with the base system");
        let keyboard = script.stdin.take().expect("it is piped");
        let screen = BufReader::new(script.stdout.take().expect("it is piped"));
        Terminal { script, keyboard, screen, shown: String::new() }
    }

    /// Reads until `question` stands at the end.
    fn asks(&mut self, question: &str) {
        let mut seen = String::new();
        while !seen.ends_with(question) {
            let mut byte = [0];
            let read = self.screen.read(&mut byte).expect("the terminal is read");
            assert!(read == 1, "`{question}` was never asked:\n{}{seen}", self.shown);
            seen.push(char::from(byte[0]));
        }
        self.shown.push_str(&seen);
    }

    /// How the terminal is set.
    fn settings(&self) -> String {
        settings_of(self.shown.lines().next().expect("its name comes first"))
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the answer is typed");
    }

    /// Everything that was shown, and whether the command succeeded.
    fn end(mut self) -> (String, bool) {
        self.screen.read_to_string(&mut self.shown).expect("the terminal is read to its end");
        (self.shown, self.script.wait().expect("it ends").success())
    }
}

#[test]
fn whatever_ends_the_dialogue_the_terminal_shows_again_what_is_typed() {
    for (question, signal) in [
        ("kept elsewhere): ", None),
        ("kept elsewhere): ", Some("-TERM")),
        ("kept elsewhere): ", Some("-QUIT")),
        ("several with commas: ", None),
        ("several with commas: ", Some("-TERM")),
    ] {
        let directory = directory();
        let servers = if question.starts_with("kept") {
            "--bootstrap-servers b:9093 --topic t --group-id g"
        } else {
            ""
        };
        let init = format!(
            "{} init {servers} --security-protocol sasl_ssl --username u",
            env!("CARGO_BIN_EXE_openeventd")
        );
        // Ctrl-C reaches the shell as well, which is to go on.
        let command = format!("trap : INT; sh -c 'echo pid $$.; exec {init}'; echo code $?; stty -a");
        let mut terminal = Terminal::start(directory.path(), &command);
        terminal.asks(question);
        let is_hidden = terminal.settings().contains(" -echo ");
        assert_eq!(is_hidden, question.starts_with("kept"));
        match signal {
            None => terminal.types("\u{3}"),
            Some(signal) => {
                let (_, after) = terminal.shown.split_once("pid ").expect("it was shown");
                let (pid, _) = after.split_once('.').expect("it was shown");
                let sent = Command::new("kill").args([signal, pid]).status().expect("kill starts");
                assert!(sent.success(), "{pid}");
            }
        }
        let (shown, _) = terminal.end();
        assert!(shown.contains("interrupted; nothing was written"), "{shown}");
        let (_, settings) = shown.split_once("code 130").unwrap_or_else(|| panic!("{shown}"));
        assert!(settings.contains(" echo ") && settings.contains(" icanon "), "{shown}");
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }
}

#[test]
fn on_a_terminal_it_asks_and_the_typed_password_is_kept_for_its_owner_alone() {
    let directory = directory();
    let command = format!("{} init", env!("CARGO_BIN_EXE_openeventd"));
    let mut terminal = Terminal::start(directory.path(), &command);
    for (question, answer) in [
        ("several with commas: ", "b-1.example.com:9093, b-2.example.com:9093"),
        ("Topics, several with commas: ", "no topic!"),
        ("Topics, several with commas: ", "events"),
        ("[openeventd]: ", ""),
        ("[sasl_ssl]: ", "nonsense"),
        ("[sasl_ssl]: ", ""),
        ("Kafka user: ", "alice"),
        ("kept elsewhere): ", "typed-secret"),
        ("(Enter for the system's): ", ""),
        ("[https]: ", "none"),
    ] {
        terminal.asks(question);
        assert_eq!(
            terminal.settings().contains(" -echo "),
            question.starts_with("kept elsewhere"),
            "{question}"
        );
        terminal.types(&format!("{answer}\n"));
    }
    let (shown, succeeded) = terminal.end();
    assert!(succeeded, "{shown}");
    assert!(!shown.contains("typed-secret"), "the password is not shown: {shown}");
    assert!(shown.contains("`no topic!` does not fit, expected letters"), "{shown}");
    assert!(shown.contains("`nonsense` is none of them"), "{shown}");
    assert!(shown.contains("check: ok: 1 rule"), "{shown}");
    let secret = directory.path().join("secrets/kafka-password");
    assert_eq!(fs::read_to_string(&secret).expect("it was written"), "typed-secret");
    assert_eq!((mode(&secret), mode(&directory.path().join("secrets"))), (0o600, 0o700));
    let text = fs::read_to_string(directory.path().join("openeventd.toml")).expect("it was written");
    assert!(text.contains("topics = [\"events\"]") && text.contains("b-2.example.com:9093"), "{text}");
    assert!(
        !text.contains("typed-secret") && text.contains("ssl_endpoint_identification = \"none\""),
        "{text}"
    );
}
