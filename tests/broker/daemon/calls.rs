//! The loopback endpoint for tests that are not async, and what was asked of it.

use std::collections::BTreeMap;

use super::endpoint::{DataWorksDouble, Received, Reply, Signature};
use super::program::DEADLINE;

/// The endpoint, with the runtime that serves it.
pub(crate) struct Calls {
    double: DataWorksDouble,
    runtime: tokio::runtime::Runtime,
}

impl Calls {
    /// Answers every request with what `script` makes of it.
    pub(crate) fn answered_by(script: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let double = runtime.block_on(DataWorksDouble::start(script));
        Calls { double, runtime }
    }

    /// Answers every request with success.
    pub(crate) fn answered() -> Self {
        Self::answered_by(|_| Reply::success())
    }

    pub(crate) fn url(&self) -> &str {
        &self.double.url
    }

    /// Requests so far.
    pub(crate) fn count(&self) -> usize {
        self.double.received().len()
    }

    /// Waits until `count` requests have arrived since the start.
    pub(crate) fn until(&self, count: usize) {
        let arrived = self
            .runtime
            .block_on(async { tokio::time::timeout(DEADLINE, self.double.wait_for(count)).await });
        assert!(arrived.is_ok(), "waited in vain for request {count}, there are {}", self.count());
    }

    /// How often each operation was asked for each object; every signature must be right.
    pub(crate) fn by_object(&self) -> BTreeMap<(String, i64), usize> {
        let mut counts = BTreeMap::new();
        for request in self.double.received() {
            assert_eq!(request.signature, Signature::Valid("v1"), "{} {}", request.method, request.target);
            *counts.entry(object_of(&request)).or_insert(0) += 1;
        }
        counts
    }
}

/// The operation, and the first number among the parameters that name its object.
fn object_of(request: &Received) -> (String, i64) {
    let find = |name: &str| request.query.get(name).or_else(|| request.form.get(name));
    let operation = find("Action").expect("every request names its operation").clone();
    let named = ["Id", "Ids", "DataSourceId"].iter().find_map(|name| find(name)).expect("it names an object");
    let digits: String = named.chars().filter(char::is_ascii_digit).collect();
    (operation, digits.parse().expect("objects are numbers"))
}
