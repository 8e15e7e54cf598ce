//! Answers to a person's own SQL.

use std::time::{Duration, Instant};

use super::{openeventd, openeventd_with};
use crate::harness::{Harness, at, failure};

#[tokio::test]
async fn rows_are_aligned_for_people() {
    let store = Harness::with("").await;
    store.accept(&[at(0, &failure("补数", 71)), at(1, "no JSON")]).await;
    for (sql, shown) in [
        (
            "select seq, id, subject, matched from events",
            "seq  id    subject  matched\n1    补数  null     0\n",
        ),
        ("select payload, 1.5 as real from quarantined", "payload            real\nx'6e6f204a534f4e'  1.5\n"),
        ("select zeroblob(20) as bytes", "bytes\nx'00000000000000000000000000000000…' (20 bytes)\n"),
        ("select 'a\u{1b}b' as text", "text\na\\u{1b}b\n"),
        (
            "select * from gaps where 0 -- none",
            "id  topic  partition  first_offset  end_offset  offsets  reason  noticed_at\n",
        ),
        ("with x as (values (1)) select * from x;", "column1\n1\n"),
    ] {
        let said = openeventd(&store.path(), &["sql", sql]);
        assert_eq!((said.exit, said.stdout.as_str()), (0, shown), "{}", said.stderr);
    }
    let long = openeventd(&store.path(), &["sql", "select printf('%.*c', 500, 'x') as long"]);
    assert_eq!(long.stdout, format!("long\n{}…\n", "x".repeat(120)));
}

#[tokio::test]
async fn programs_get_exact_values_in_the_order_of_the_columns() {
    let store = Harness::with("").await;
    let sql = "select 9007199254740993 as z, null as n, 'x' as a, x'00ff' as b, 0.5 as r, 1e999 as i, -1e999 as i, 2 as i";
    let said = openeventd(&store.path(), &["sql", "--json", sql]);
    assert_eq!(
        said.stdout,
        "{\"z\":9007199254740993,\"n\":null,\"a\":\"x\",\"b\":{\"base64\":\"AP8=\"},\"r\":0.5,\"i\":\"Infinity\",\"i_2\":\"-Infinity\",\"i_3\":2}\n"
    );
}

#[tokio::test]
async fn a_statement_can_come_from_standard_input() {
    let store = Harness::with("").await;
    let said = openeventd_with(&store.path(), &["sql", "-"], "select 1 as one;\n-- done\n");
    assert_eq!((said.exit, said.stdout.as_str()), (0, "one\n1\n"), "{}", said.stderr);
}

#[tokio::test]
async fn what_is_no_question_is_refused_with_what_to_do() {
    let mut store = Harness::with("").await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    for (sql, exit, told) in [
        ("delete from event", 64, "openeventd outbox"),
        ("with x as (select 1) delete from event", 64, "not one that writes"),
        ("select 1; select 2", 64, "ask one after the other"),
        ("vacuum into 'copy.db'", 64, "beginning with select"),
        ("pragma user_version = 7", 64, "pragma that sets"),
        ("select ?", 65, "parameters"),
        ("select * from events where code = :code", 65, "write the values"),
        ("select $a, @b", 65, "parameters"),
        ("", 64, "write one"),
        ("select * from absent", 65, "no such table: absent; docs/audit.md describes the views"),
        ("select from", 65, "syntax error"),
        ("select abs('x', 1)", 65, "wrong number of arguments"),
    ] {
        let said = openeventd(&store.path(), &["sql", sql]);
        assert_eq!((said.exit, said.stdout.as_str()), (exit, ""), "{sql}: {}", said.stderr);
        assert!(said.stderr.contains(told), "{sql}: {}", said.stderr);
    }
    assert_eq!(store.count("event").await, 1);
}

#[tokio::test]
async fn an_answer_is_bounded_in_rows_and_in_time() {
    let store = Harness::with("").await;
    let endless = "with recursive n (x) as (select 1 union all select x + 1 from n) select x from n";
    let said = openeventd(&store.path(), &["sql", endless, "-n", "3"]);
    assert_eq!((said.exit, said.stdout.as_str()), (0, "x\n1\n2\n3\n"));
    assert!(said.stderr.contains("only the first 3 rows"), "{}", said.stderr);

    let begun = Instant::now();
    let never = format!("{endless} where x < 0");
    let said = openeventd(&store.path(), &["sql", &never, "--time-limit", "200ms"]);
    assert_eq!(said.exit, 75, "{}", said.stderr);
    assert!(said.stderr.contains("narrow the question"), "{}", said.stderr);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn no_value_takes_more_memory_than_there_is_for_an_answer() {
    let store = Harness::with("").await;
    for sql in [
        "select zeroblob(1000000000)",
        "select replace(hex(zeroblob(400000000)), '0', 'xyz')",
        "select zeroblob(100000000)",
        "select 1, printf('%.*c', 80000000, 'x')",
    ] {
        let said = openeventd(&store.path(), &["sql", "--json", sql]);
        assert_eq!((said.exit, said.stdout.as_str()), (65, ""), "{sql}: {}", said.stderr);
        assert!(said.stderr.contains("too large"), "{sql}: {}", said.stderr);
        assert!(!said.stderr.contains("panicked"), "{sql}: {}", said.stderr);
    }
    let some = "with n (x) as (values (1), (2), (3), (4)) select printf('%.*c', 20000000, 'x') from n";
    let said = openeventd(&store.path(), &["sql", some]);
    assert_eq!((said.exit, said.stdout.lines().count()), (0, 4));
    assert!(said.stderr.contains("only the first 3 rows: more of them are too large"), "{}", said.stderr);
}
