//! One record written byte by byte: what no client library lets one send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
const PRODUCE: i16 = 0;

/// Writes one record with one header, whose name may be any bytes, to partition 0.
pub(crate) fn produce_with_header(server: &str, topic: &str, name: &[u8], value: &[u8], payload: &[u8]) {
    let batch = record_batch(&record(name, value, payload));
    let mut request = Vec::new();
    request.extend(PRODUCE.to_be_bytes());
    request.extend(3i16.to_be_bytes()); // version 3: the first with headers, and both brokers know it
    request.extend(9i32.to_be_bytes()); // correlation
    text(&mut request, "openeventd-tests");
    request.extend((-1i16).to_be_bytes()); // no transaction
    request.extend(1i16.to_be_bytes()); // the leader's acknowledgement
    request.extend(10_000i32.to_be_bytes()); // within so many milliseconds
    request.extend(1i32.to_be_bytes()); // one topic
    text(&mut request, topic);
    request.extend(1i32.to_be_bytes()); // one partition
    request.extend(0i32.to_be_bytes());
    bytes(&mut request, &batch);
    let answer = call(server, &request);
    // Correlation, count, name, count and partition precede the error code.
    let at = 4 + 4 + 2 + topic.len() + 4 + 4;
    assert_eq!(answer[at..at + 2], [0, 0], "the record was refused: {answer:?}");
}

/// Sends a request and gives the response after its length.
pub(crate) fn call(server: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).expect("the broker listens");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
    let mut framed = Vec::new();
    bytes(&mut framed, request);
    stream.write_all(&framed).expect("the request is sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("the broker answers");
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
    stream.read_exact(&mut answer).expect("the broker answers whole");
    answer
}

/// A text with its length before it.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(i16::try_from(text.len()).expect("it is short").to_be_bytes());
    out.extend(text.as_bytes());
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(i32::try_from(bytes.len()).expect("it is small").to_be_bytes());
    out.extend(bytes);
}

fn record(name: &[u8], value: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut body = vec![0]; // attributes
    varint(&mut body, 0); // time, relative
    varint(&mut body, 0); // offset, relative
    varint(&mut body, -1); // no key
    sized(&mut body, payload);
    varint(&mut body, 1); // one header
    sized(&mut body, name);
    sized(&mut body, value);
    let mut record = Vec::new();
    sized(&mut record, &body);
    record
}

fn sized(out: &mut Vec<u8>, part: &[u8]) {
    varint(out, i64::try_from(part.len()).expect("it is small"));
    out.extend(part);
}

fn record_batch(record: &[u8]) -> Vec<u8> {
    let mut checked = Vec::new();
    checked.extend(0i16.to_be_bytes()); // attributes: not compressed
    checked.extend(0i32.to_be_bytes()); // offset of the last record, relative
    for time_ms in [1_700_000_000_000i64; 2] {
        checked.extend(time_ms.to_be_bytes());
    }
    checked.extend((-1i64).to_be_bytes()); // no producer id
    checked.extend((-1i16).to_be_bytes());
    checked.extend((-1i32).to_be_bytes());
    checked.extend(1i32.to_be_bytes()); // one record
    checked.extend(record);
    let mut rest = Vec::new();
    rest.extend((-1i32).to_be_bytes()); // no leader epoch
    rest.push(2); // the format's version
    rest.extend(crc32c(&checked).to_be_bytes());
    rest.extend(checked);
    let mut batch = Vec::new();
    batch.extend(0i64.to_be_bytes());
    bytes(&mut batch, &rest);
    batch
}

fn varint(out: &mut Vec<u8>, number: i64) {
    let mut zigzag = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        out.push(u8::try_from(zigzag & 0x7f).expect("seven bits") | 0x80);
        zigzag >>= 7;
    }
    out.push(u8::try_from(zigzag).expect("seven bits"));
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}
