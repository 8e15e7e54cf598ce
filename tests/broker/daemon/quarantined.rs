//! Records that are no events stop nothing.

use super::audit::Audit;
use super::events::event;
use super::program::Home;
use crate::harness::{admin, on_both, unique};

#[test]
fn garbage_is_quarantined_whole_and_the_next_event_is_accepted() {
    on_both(|cluster| {
        let topic = unique("garbage");
        admin::create_topic_with(cluster, &topic, 1, &[("max.message.bytes", "4000000")]);
        let mut noise = 0x9e37_79b9_u32;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_le_bytes()[3]
        })
        .take(3000)
        .collect();
        let garbage: [Vec<u8>; 6] = [
            random,
            "[".repeat(500_000).into_bytes(),
            // Compresses well: the producer's limit is for what travels.
            format!("{{\"a\":\"{}\"}}", "x".repeat(900_000)).into_bytes(),
            b"{\"id\":\"\xff\xfe\"}".to_vec(),
            b"".to_vec(),
            b"{\"id\":1,\"id\":2}".to_vec(),
        ];
        admin::produce(cluster, &topic, 1, garbage.len(), |n| garbage[n].clone());
        admin::produce(cluster, &topic, 1, 1, |_| event(1, 1));
        let mut home = Home::new(cluster, &[&topic], &unique("group"));
        home.more.push_str("[limits]\nrecord_bytes_max = \"512KiB\"\n");
        let mut daemon = home.start();
        daemon.line("a batch", |line| line.message == "accept");
        let database = home.database();
        let audit = Audit::of(&database);
        audit.until("SELECT count(*) FROM events", 1);
        assert_eq!(audit.number("SELECT count(*) FROM quarantined"), 6);
        daemon.stop();
        let kept: i64 = garbage.iter().map(|record| i64::try_from(record.len()).expect("small")).sum();
        assert_eq!(audit.number("SELECT sum(payload_bytes) FROM quarantined"), kept, "kept whole");
        let reasons = audit.texts("SELECT reason FROM quarantined ORDER BY offset");
        eprintln!("   reasons: {reasons:?}");
        assert!(reasons.iter().all(|reason| !reason.is_empty()), "{reasons:?}");
    });
}
