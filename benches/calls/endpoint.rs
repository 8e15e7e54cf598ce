//! A loopback endpoint that says yes at once, on a thread and a runtime of its own.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 35\r\n\r\n{\"RequestId\":\"R-1\",\"Success\":true}\n";

/// The endpoint, and where the kernel tells what its thread uses.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) thread: PathBuf,
}

/// Starts the endpoint.
pub(crate) fn start() -> Endpoint {
    let (send, started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let url = format!("http://{}", listener.local_addr().expect("an address"));
            let thread = std::fs::read_link("/proc/thread-self").expect("Linux");
            send.send(Endpoint { url, thread: PathBuf::from("/proc").join(thread) }).expect("main waits");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
    });
    started.recv().expect("it starts")
}

/// Answers every request of one connection; they have no body.
async fn serve(mut stream: TcpStream) {
    let mut buffer = Vec::with_capacity(4096);
    while stream.read_buf(&mut buffer).await.is_ok_and(|length| length > 0) {
        while let Some(end) = memchr::memmem::find(&buffer, b"\r\n\r\n") {
            buffer.drain(..end + 4);
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}
