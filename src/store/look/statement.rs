//! Where a statement ends: what a person asks is one statement that reads.
//!
//! The database is opened read-only, so nothing depends on this for safety; it gives clear errors before
//! anything is asked. It knows SQLite's comments and quotes, and nothing else of SQL.

use super::super::StoreError;

const OUTBOX: &str =
    "actions are changed by `openeventd outbox`, quarantined records are replayed by `openeventd quarantine`";

/// The words that begin what reads. `with` may lead to a write: SQLite refuses that itself.
const READING: [&str; 5] = ["select", "with", "values", "explain", "pragma"];

/// The pragmas that tell something. Of others, most set something for this connection only, which ends with the
/// answer: it would look as if it had worked.
const TELLING: [&str; 22] = [
    "application_id",
    "auto_vacuum",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "encoding",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "journal_mode",
    "page_count",
    "page_size",
    "quick_check",
    "schema_version",
    "table_info",
    "table_list",
    "user_version",
];

/// Those of them that take an argument; to others it would be a new value.
const OF_SOMETHING: [&str; 8] = [
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
];

/// Refuses what is not one reading statement.
pub(super) fn refuse_unfit(sql: &str) -> Result<(), StoreError> {
    let unfit = |found, fix| Err(StoreError::NotAQuestion { found, fix });
    let Some(first) = skip_blank(sql) else {
        return unfit("not an empty text", "write one, such as `select * from gaps`");
    };
    let word: String = first.chars().take_while(char::is_ascii_alphabetic).collect();
    if !READING.contains(&word.to_ascii_lowercase().as_str()) {
        return unfit("beginning with select, with, values, explain or pragma", OUTBOX);
    }
    if word.eq_ignore_ascii_case("pragma") && !tells(first.get(word.len()..).unwrap_or_default()) {
        return unfit(
            "not a pragma that sets or does something",
            "those that tell are answered, such as `pragma table_list` and `pragma table_info(actions)`",
        );
    }
    match end_of(first).and_then(skip_blank) {
        None => Ok(()),
        Some(_) => unfit("not two", "ask one after the other"),
    }
}

/// Whether the pragma whose name begins `sql` only tells something.
fn tells(sql: &str) -> bool {
    let name_of =
        |sql: &str| sql.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let sql = skip_blank(sql).unwrap_or_default();
    let mut name = name_of(sql);
    let mut rest = sql.get(name.len()..).unwrap_or_default();
    if let Some(after) = rest.strip_prefix('.') {
        name = name_of(after);
        rest = after.get(name.len()..).unwrap_or_default();
    }
    let name = name.to_ascii_lowercase();
    let has_value = !rest.trim_start().starts_with(';') && skip_blank(rest).is_some();
    TELLING.contains(&name.as_str()) && (!has_value || OF_SOMETHING.contains(&name.as_str()))
}

/// The error of a statement that would have written.
pub(super) fn writes() -> StoreError {
    StoreError::NotAQuestion { found: "not one that writes", fix: OUTBOX }
}

/// From the first character that is neither space, comment nor semicolon, if there is one.
fn skip_blank(sql: &str) -> Option<&str> {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ';');
        if rest.is_empty() {
            return None;
        }
        match after_comment(rest) {
            Some(after) => rest = after,
            None => return Some(rest),
        }
    }
}

/// What follows the first semicolon outside of quotes and comments, if there is one.
fn end_of(sql: &str) -> Option<&str> {
    let mut rest = sql;
    loop {
        if let Some(after) = after_comment(rest).or_else(|| after_quoted(rest)) {
            rest = after;
            continue;
        }
        let mut characters = rest.chars();
        match characters.next()? {
            ';' => return Some(characters.as_str()),
            _ => rest = characters.as_str(),
        }
    }
}

/// What follows the comment that `sql` begins with, if it does.
fn after_comment(sql: &str) -> Option<&str> {
    if let Some(comment) = sql.strip_prefix("--") {
        return Some(comment.split_once('\n').map_or("", |(_, rest)| rest));
    }
    let comment = sql.strip_prefix("/*")?;
    Some(comment.split_once("*/").map_or("", |(_, rest)| rest))
}

/// What follows the quoted text that `sql` begins with, if it does. A doubled quote is two texts in a row.
fn after_quoted(sql: &str) -> Option<&str> {
    let mut characters = sql.chars();
    let end = match characters.next()? {
        '[' => ']',
        quote @ ('\'' | '"' | '`') => quote,
        _ => return None,
    };
    Some(characters.as_str().split_once(end).map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_that_reads_is_fit() {
        for sql in [
            "select 1",
            "  -- why\n SELECT 1 ; -- done\n /* really */ ;",
            "select ';' || \"a;b\", [c;d], `e;f`, 'it''s; fine' -- ; not an end",
            "with x as (select 1) select * from x",
            "values (1)",
            "explain query plan select 1",
            "pragma table_info(events)",
            "PRAGMA main.Table_Info(events)",
            "pragma /* how */ journal_mode -- is it\n;",
            "pragma integrity_check(1)",
        ] {
            assert!(refuse_unfit(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_to_do() {
        for (sql, told) in [
            ("", "empty"),
            (" -- nothing\n;", "empty"),
            ("delete from action", "openeventd outbox"),
            ("/* x */ vacuum into 'copy.db'", "beginning with select"),
            ("pragma journal_mode = delete", "sets or does something"),
            ("pragma journal_mode(delete)", "sets or does something"),
            ("pragma user_version /* */ = 3", "sets or does something"),
            ("pragma wal_checkpoint", "table_list"),
            ("pragma hard_heap_limit = 0", "table_list"),
            ("pragma", "table_list"),
            ("pragma page_count; select 2", "one after the other"),
            ("select 1; select 2", "one after the other"),
            ("select '''; x' ; drop table action", "one after the other"),
        ] {
            let error = refuse_unfit(sql).expect_err(sql).to_string();
            assert!(error.contains(told), "{sql}: {error}");
        }
    }
}
