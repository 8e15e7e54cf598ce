//! The fenced blocks of a document, and what their info strings say.

/// Why a block may be shown and not run here.
pub(super) const NOT_RUN: [&str; 4] = ["builds", "installs", "needs-kafka", "needs-systemd"];

/// What is done with a block.
#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing: it is a drawing or an excerpt.
    Shown,
    /// Nothing, for a reason that it names.
    NotRun,
    /// It is written to a file.
    File { path: String },
    /// It is a whole configuration.
    Config { path: String },
    /// It is a rule file.
    Rule { path: String },
    /// It shows commands and their output.
    Console { exit: i32 },
    /// It is a query.
    Sql { empty: bool },
}

/// A fenced block.
#[derive(Debug)]
pub(super) struct Block {
    /// The line of its info string, from 1.
    pub(super) line: usize,
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// A command and what it is shown to print.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) command: String,
    pub(super) output: String,
}

/// The blocks of `document` in order; for one of unknown kind, its line and what is wrong.
pub(super) fn of(document: &str) -> Vec<Result<Block, (usize, String)>> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().enumerate();
    while let Some((at, opening)) = lines.next() {
        let Some(info) = opening.trim_start().strip_prefix("```") else { continue };
        let indent = opening.len() - opening.trim_start().len();
        let mut text = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {
            text.push_str(line.get(indent..).unwrap_or(""));
            text.push('\n');
        }
        let block = match kind(info) {
            Some(kind) => Ok(Block { line: at + 1, kind, text }),
            None => Err((at + 1, format!("`{info}` is no kind of block, see tests/it/docs.rs"))),
        };
        blocks.push(block);
    }
    blocks
}

fn kind(info: &str) -> Option<Kind> {
    let words: Vec<&str> = info.split(' ').collect();
    Some(match words.as_slice() {
        ["text"] => Kind::Shown,
        ["console", "not-run", reason] if NOT_RUN.contains(reason) => Kind::NotRun,
        ["console"] => Kind::Console { exit: 0 },
        ["console", exit] => Kind::Console { exit: exit.strip_prefix("exit=")?.parse().ok()? },
        ["toml", "config", path] => Kind::Config { path: (*path).into() },
        ["toml", "rule", path] => Kind::Rule { path: (*path).into() },
        ["toml" | "json" | "ini", "file", path] => Kind::File { path: (*path).into() },
        ["sql"] => Kind::Sql { empty: false },
        ["sql", "empty"] => Kind::Sql { empty: true },
        _ => return None,
    })
}

/// The commands of a console block: lines after `$ `, continued while they end in a backslash.
pub(super) fn commands(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (Some(command), _) => {
                let mut command = command.to_owned();
                while command.ends_with('\\') {
                    command.push('\n');
                    command.push_str(lines.next().unwrap_or(""));
                }
                shown.push(Shown { command, output: String::new() });
            }
            (None, Some(last)) => {
                last.output.push_str(line);
                last.output.push('\n');
            }
            (None, None) => {}
        }
    }
    shown
}

/// Whether `output` is what was `shown`: a line `...` stands for any lines, `[..]` for anything in a line.
pub(super) fn is_shown(shown: &str, output: &str) -> bool {
    let shown: Vec<&str> = shown.trim_end().lines().collect();
    let output: Vec<&str> = output.trim_end().lines().map(str::trim_end).collect();
    lines_match(&shown, &output)
}

fn lines_match(shown: &[&str], output: &[&str]) -> bool {
    match shown.split_first() {
        None => output.is_empty(),
        Some((&"...", rest)) => (0..=output.len()).any(|skipped| lines_match(rest, &output[skipped..])),
        Some((first, rest)) => output
            .split_first()
            .is_some_and(|(line, after)| line_matches(first, line) && lines_match(rest, after)),
    }
}

fn line_matches(shown: &str, line: &str) -> bool {
    match shown.split_once("[..]") {
        None => shown.trim_end() == line,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| line_matches(after, &rest[at..]))
        }),
    }
}

/// What stands between each `before` of `text` and the next quotation mark.
pub(super) fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let ends = text.split(before).skip(1).filter_map(|rest| rest.split_once('"'));
    ends.map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)))
        .collect()
}
