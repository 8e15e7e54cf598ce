//! The little of the Kafka protocol that the front has to understand.
//!
//! Pure: requests' headers, the log-in, and where ports stand in responses. The front answers like a
//! broker of version 2.2.0, which is what DataWorks runs and knows no flexible versions, so every layout
//! here is of the plain kind: big-endian integers, strings and lists with a length before them.

use std::collections::HashMap;

pub(super) const FETCH: i16 = 1;
pub(super) const METADATA: i16 = 3;
pub(super) const FIND_COORDINATOR: i16 = 10;
pub(super) const SASL_HANDSHAKE: i16 = 17;
pub(super) const API_VERSIONS: i16 = 18;
pub(super) const SASL_AUTHENTICATE: i16 = 36;

/// Error codes of the protocol.
pub(super) const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
pub(super) const ILLEGAL_SASL_STATE: i16 = 34;
pub(super) const UNSUPPORTED_VERSION: i16 = 35;
pub(super) const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// Each request that is let through, with its lowest and highest version: what a consumer of a 2.2.0
/// broker needs. There is no Produce through the front: consumers only consume here, as at DataWorks. The mock
/// broker behind it knows it, of course, and listens as well.
const SUPPORTED: [(i16, i16, i16); 12] = [
    (FETCH, 0, 10),
    (2, 0, 5), // ListOffsets
    (METADATA, 0, 7),
    (8, 0, 6), // OffsetCommit
    (9, 0, 5), // OffsetFetch
    (FIND_COORDINATOR, 0, 2),
    (11, 0, 4), // JoinGroup
    (12, 0, 2), // Heartbeat
    (13, 0, 2), // LeaveGroup
    (14, 0, 2), // SyncGroup
    (SASL_HANDSHAKE, 0, 1),
    (SASL_AUTHENTICATE, 0, 1),
];

/// `ApiVersions` stands in its own list as well.
const API_VERSIONS_MAX: i16 = 2;

/// The beginning of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) key: i16,
    pub(super) version: i16,
    pub(super) correlation: i32,
}

impl Request {
    /// Of the frame `frame`, without its length.
    pub(super) fn of(frame: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::over(frame);
        Some(Request { key: cursor.int16()?, version: cursor.int16()?, correlation: cursor.int32()? })
    }

    /// Whether it is one that is let through after the log-in, which cannot be done twice.
    pub(super) fn is_supported(self) -> bool {
        let fits =
            |(key, min, max): &(i16, i16, i16)| *key == self.key && (*min..=*max).contains(&self.version);
        ![SASL_HANDSHAKE, SASL_AUTHENTICATE].contains(&self.key) && SUPPORTED.iter().any(fits)
    }

    /// The body of the frame, after the client's name.
    fn body(frame: &[u8]) -> Option<Cursor<'_>> {
        let mut cursor = Cursor::over(frame);
        cursor.take(8)?;
        cursor.string()?;
        Some(cursor)
    }
}

/// The response to `ApiVersions`. A newer client asks by a version that is not known here, and learns that
/// in the oldest layout, which every client reads.
pub(super) fn api_versions(request: Request) -> Vec<u8> {
    let is_known = (0..=API_VERSIONS_MAX).contains(&request.version);
    let mut response = Response::to(request);
    response.int16(if is_known { 0 } else { UNSUPPORTED_VERSION });
    let all = SUPPORTED.into_iter().chain([(API_VERSIONS, 0, API_VERSIONS_MAX)]);
    response.int32(i32::try_from(SUPPORTED.len() + 1).unwrap_or(i32::MAX));
    for (key, min, max) in all {
        response.int16(key);
        response.int16(min);
        response.int16(max);
    }
    if is_known && request.version >= 1 {
        response.int32(0); // not throttled
    }
    response.bytes
}

/// The mechanism that a `SaslHandshake` asks for.
pub(super) fn mechanism(frame: &[u8]) -> Option<&str> {
    Request::body(frame)?.string()
}

/// The response to `SaslHandshake`.
pub(super) fn handshake(request: Request, error: i16) -> Vec<u8> {
    let mut response = Response::to(request);
    response.int16(error);
    response.int32(1);
    response.string("PLAIN");
    response.bytes
}

/// User and password of a `SaslAuthenticate` by PLAIN.
pub(super) fn plain(frame: &[u8]) -> Option<(&str, &str)> {
    let mut body = Request::body(frame)?;
    let length = usize::try_from(body.int32()?).ok()?;
    let token = std::str::from_utf8(body.take(length)?).ok()?;
    let mut parts = token.split('\0');
    let (_acting_as, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some((user, password))
}

/// The response to `SaslAuthenticate`: `None` is success.
pub(super) fn authenticated(request: Request, refusal: Option<(i16, &str)>) -> Vec<u8> {
    let mut response = Response::to(request);
    match refusal {
        None => {
            response.int16(0);
            response.int16(-1); // no message
        }
        Some((error, message)) => {
            response.int16(error);
            response.string(message);
        }
    }
    response.int32(0); // nothing more to say
    if request.version >= 1 {
        response.int64(0); // the session does not expire
    }
    response.bytes
}

/// Which requests were sent and not answered, by correlation id.
#[derive(Debug, Default)]
pub(super) struct Unanswered(HashMap<i32, Request>);

/// More requests at once than any client sends.
const UNANSWERED_MAX: usize = 1024;

impl Unanswered {
    /// Notes a request; `None` if there are too many, or it has the id of another.
    pub(super) fn note(&mut self, request: Request) -> Option<()> {
        if self.0.len() >= UNANSWERED_MAX || self.0.contains_key(&request.correlation) {
            return None;
        }
        self.0.insert(request.correlation, request);
        Some(())
    }

    /// Puts `port` for every broker that the response names. `None`: it answers nothing that was asked, or
    /// is not laid out as its request's version says.
    pub(super) fn patch(&mut self, frame: &mut [u8], port: u16) -> Option<()> {
        let correlation = Cursor::over(frame).int32()?;
        let request = self.0.remove(&correlation)?;
        for place in ports(request, frame)? {
            frame.get_mut(place..place + 4)?.copy_from_slice(&i32::from(port).to_be_bytes());
        }
        Some(())
    }
}

/// A cluster of one broker names few.
const BROKERS_MAX: i32 = 16;

/// Where a response names ports.
fn ports(request: Request, frame: &[u8]) -> Option<Vec<usize>> {
    let mut cursor = Cursor::over(frame);
    cursor.int32()?; // the correlation id
    let mut places = Vec::new();
    match request.key {
        METADATA => {
            if request.version >= 3 {
                cursor.int32()?; // throttled for so long
            }
            let brokers = cursor.int32()?;
            if !(0..=BROKERS_MAX).contains(&brokers) {
                return None;
            }
            for _ in 0..brokers {
                places.push(cursor.broker()?);
                if request.version >= 1 {
                    cursor.string()?; // the rack
                }
            }
        }
        FIND_COORDINATOR => {
            if request.version >= 1 {
                cursor.int32()?; // throttled for so long
            }
            let error = cursor.int16()?;
            if request.version >= 1 {
                cursor.string()?; // the error's text
            }
            let place = cursor.broker()?;
            if error == 0 {
                places.push(place);
            }
        }
        _ => {}
    }
    Some(places)
}

/// Reads from the front of a frame.
struct Cursor<'a> {
    frame: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn over(frame: &'a [u8]) -> Self {
        Cursor { frame, at: 0 }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.frame.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn int16(&mut self) -> Option<i16> {
        self.take(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    fn int32(&mut self) -> Option<i32> {
        self.take(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    /// A string; null is read as an empty one.
    fn string(&mut self) -> Option<&'a str> {
        match self.int16()? {
            -1 => Some(""),
            length => std::str::from_utf8(self.take(usize::try_from(length).ok()?)?).ok(),
        }
    }

    /// Skips a broker's id, host and port, and tells where the port stands.
    fn broker(&mut self) -> Option<usize> {
        self.int32()?;
        self.string()?;
        let place = self.at;
        self.int32()?;
        Some(place)
    }
}

/// Writes a response, which begins with the id of its request.
struct Response {
    bytes: Vec<u8>,
}

impl Response {
    fn to(request: Request) -> Self {
        Response { bytes: request.correlation.to_be_bytes().to_vec() }
    }

    fn int16(&mut self, value: i16) {
        self.bytes.extend(value.to_be_bytes());
    }

    fn int32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    fn int64(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }

    fn string(&mut self, text: &str) {
        self.int16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.bytes.extend(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: i16, version: i16) -> Request {
        Request { key, version, correlation: 7 }
    }

    #[test]
    fn a_newer_client_is_told_the_versions_in_the_oldest_layout() {
        let newer = api_versions(request(API_VERSIONS, 3));
        assert_eq!(newer[..10], [0, 0, 0, 7, 0, 35, 0, 0, 0, 13]);
        assert_eq!(newer.len(), 10 + 13 * 6, "nothing follows the list");
        let known = api_versions(request(API_VERSIONS, 2));
        assert_eq!((&known[4..6], known.len()), (&[0, 0][..], 10 + 13 * 6 + 4));
    }

    #[test]
    fn only_what_a_consumer_of_an_old_broker_needs_is_let_through() {
        for (key, version, supported) in
            [(1, 10, true), (1, 11, false), (3, 7, true), (3, 8, false), (0, 0, false), (17, 1, false)]
        {
            assert_eq!(request(key, version).is_supported(), supported, "{key} {version}");
        }
    }

    #[test]
    fn every_broker_of_a_response_gets_our_port() {
        let host = [0, 1, b'h'];
        let port = [0, 0, 0x10, 0x10];
        let broker: Vec<u8> = [&[0, 0, 0, 1][..], &host, &port].concat();
        let no_rack = [0xff, 0xff];
        let cases = [
            (request(METADATA, 0), [&[0, 0, 0, 7, 0, 0, 0, 1][..], &broker].concat(), 15),
            (
                request(METADATA, 7),
                [&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1][..], &broker, &no_rack].concat(),
                19,
            ),
            (request(FIND_COORDINATOR, 0), [&[0, 0, 0, 7, 0, 0][..], &broker].concat(), 13),
            (
                request(FIND_COORDINATOR, 2),
                [&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0][..], &no_rack, &broker].concat(),
                19,
            ),
        ];
        for (request, mut frame, place) in cases {
            let mut unanswered = Unanswered::default();
            unanswered.note(request).expect("the first");
            unanswered.patch(&mut frame, 9093).expect("laid out as asked");
            assert_eq!(frame[place..place + 4], 9093_i32.to_be_bytes(), "{request:?}");
        }
    }

    #[test]
    fn a_response_that_is_cut_or_that_nobody_asked_for_is_refused() {
        let mut unanswered = Unanswered::default();
        assert_eq!(unanswered.patch(&mut [0, 0, 0, 7], 1), None);
        unanswered.note(request(METADATA, 7)).expect("the first");
        assert_eq!(unanswered.note(request(FETCH, 7)), None, "the id is taken");
        assert_eq!(unanswered.patch(&mut [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9], 1), None);
    }

    #[test]
    fn user_and_password_are_read_and_nothing_else_is_taken_for_them() {
        let frame = |token: &[u8]| {
            let length = i32::try_from(token.len()).expect("short");
            [&[0, 36, 0, 0, 0, 0, 0, 7, 0xff, 0xff][..], &length.to_be_bytes(), token].concat()
        };
        assert_eq!(plain(&frame(b"\0demo\0pass")), Some(("demo", "pass")));
        for token in [&b"demo"[..], b"\0demo", b"\0a\0b\0c", b"\0\xff\0b"] {
            assert_eq!(plain(&frame(token)), None, "{token:?}");
        }
        assert_eq!(plain(&[0, 36, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]), None);
    }
}
