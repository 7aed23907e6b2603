//! Daemons that are broken or hostile: their clients survive them, and say what happened.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::client::client::ClientConfig;
use pyroxene::transport::{Network, Stream};
use pyroxene::wire::{BindingTable, BoundMethod, Limits, MessageType, PeerLimits, Welcome};
use pyroxene::{CallError, DynProxy, Items, NotStarted, Proxy, Unknown, args};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, client_over, client_with};
use crate::support::raw_peer::{SPOKEN, frame};

/// Answers the first bytes of each connection with `welcome` and the next ones with `answer`, whatever they are.
async fn server(welcome: Vec<u8>, answer: Vec<u8>) -> (Arc<dyn Network>, String) {
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let mut listener = network.listen(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let uri = format!("PYRO://{}/thing", listener.endpoint());
    actix_rt::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            actix_rt::spawn(serve(stream, welcome.clone(), answer.clone()));
        }
    });
    (network, uri)
}

async fn serve(mut stream: Stream, welcome: Vec<u8>, answer: Vec<u8>) {
    let mut received = vec![0; 64 * 1024];
    let mut answers = [welcome, answer].into_iter();
    while let Ok(1..) = stream.read(&mut received).await {
        if stream.write_all(&answers.next().unwrap_or_default()).await.is_err() {
            return;
        }
    }
}

/// Offers one method, `run`, that takes a number.
fn welcome() -> Vec<u8> {
    let methods = vec![BoundMethod { name: "run".into(), flags: 0, fingerprint: 0 }];
    let welcome = Welcome {
        version: 1,
        features: SPOKEN,
        limits: PeerLimits { max_message: 1024 * 1024, in_flight: 8 },
        incarnation: 1,
        binding: Some(BindingTable { handle: 0, object: "thing".into(), methods }),
    };
    frame(MessageType::ConnectOk, 0, |out| welcome.encode(out).unwrap())
}

/// What a call to it ends with.
async fn call(welcome: Vec<u8>, answer: Vec<u8>) -> CallError {
    let (network, uri) = server(welcome, answer).await;
    let client = client_over(&network);
    let thing = match DynProxy::connect_with(&client, uri).await {
        Ok(thing) => thing,
        Err(error) => return CallError::NotStarted(error.why),
    };
    let ended = tokio::time::timeout(Duration::from_secs(40), thing.call("run", args![1])).await;
    ended.expect("it ends in time").unwrap_err()
}

/// Replies that take far more memory than bytes of the network: an empty text is one byte there, and 24 here.
struct Swelling;

#[pyroxene::remote]
impl Swelling {
    pub fn texts(&self, count: usize) -> Vec<String> {
        vec![String::new(); count]
    }

    pub fn stream(&self, count: usize) -> Items<Vec<String>> {
        Items::of([vec![String::new(); count]])
    }
}

#[actix::test]
async fn a_reply_costs_its_caller_no_more_than_its_own_limits_allow() {
    let pair = Pair::memory().await;
    let swelling = pair.host("swelling", || Swelling).await;
    let limits = Limits { max_message: 64 * 1024, ..Limits::default() };
    let client = client_with(ClientConfig { network: Arc::clone(&pair.network), limits, ..ClientConfig::default() });
    let swelling = SwellingProxy::from(Proxy::connect_with(&client, swelling.uri().clone()).await.unwrap());
    assert_eq!(swelling.texts(1_000).await.unwrap().len(), 1_000);
    let error = swelling.texts(60_000).await.unwrap_err().to_string();
    assert!(
        error.contains("texts ran, but its reply cannot be read here") && error.contains("1114112 bytes"),
        "{error}"
    );
    assert!(swelling.stream(1_000).await.unwrap().next().await.unwrap().is_ok());
    let error = swelling.stream(60_000).await.unwrap().next().await.unwrap().unwrap_err().to_string();
    assert!(error.contains("1114112 bytes"), "{error}");
}

#[actix::test]
async fn a_welcome_that_is_none_is_no_connection() {
    tokio::time::pause();
    let mut cut = welcome();
    cut.truncate(50);
    let claims_much = {
        let mut welcome = welcome();
        welcome[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
        welcome
    };
    for answer in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        frame(MessageType::ConnectOk, 0, |out| out.extend_from_slice(&[0xff; 64])),
        frame(MessageType::ConnectFail, 0, |out| out.extend_from_slice(b"no")),
        frame(MessageType::Invoke, 0, |_| {}),
        claims_much,
        cut,
    ] {
        let error = call(answer, Vec::new()).await;
        assert!(matches!(error, CallError::NotStarted(NotStarted::Unreachable { .. })), "{error:?}");
    }
}

#[actix::test]
async fn a_server_that_breaks_off_after_the_call_leaves_it_unknown() {
    tokio::time::pause();
    let error = call(welcome(), b"garbage that is no frame".to_vec()).await;
    assert!(matches!(error, CallError::Unknown(Unknown::Disconnected { .. })), "{error:?}");
}

#[actix::test]
async fn a_server_that_answers_other_calls_than_were_made_is_broken() {
    tokio::time::pause();
    let strays: Vec<u8> = (100..200).flat_map(|seq| frame(MessageType::Result, seq, |out| out.push(0))).collect();
    let error = call(welcome(), strays).await;
    let CallError::Unknown(Unknown::Disconnected { problem, .. }) = &error else { panic!("{error:?}") };
    assert!(problem.contains("calls that were never made"), "{problem}");
}

#[actix::test]
async fn a_server_that_never_answers_leaves_the_call_unknown_in_time() {
    tokio::time::pause();
    let error = call(welcome(), Vec::new()).await;
    assert!(matches!(error, CallError::Unknown(Unknown::OutOfTime { .. })), "{error:?}");
}

#[actix::test]
async fn a_reply_that_cannot_be_read_says_that_the_call_ran() {
    tokio::time::pause();
    let reply = frame(MessageType::Result, 0, |out| out.extend_from_slice(&[0xff; 9]));
    let error = call(welcome(), reply).await;
    let CallError::Failed(fault) = &error else { panic!("{error:?}") };
    assert_eq!(fault.class, "Pyroxene.UnreadableReply");
    assert!(error.may_have_run());
}

#[actix::test]
async fn a_reply_that_claims_more_than_is_allowed_ends_the_connection() {
    tokio::time::pause();
    let mut reply = frame(MessageType::Result, 0, |out| out.push(0));
    reply[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
    let error = call(welcome(), reply).await;
    let CallError::Unknown(Unknown::Disconnected { problem, .. }) = &error else { panic!("{error:?}") };
    assert!(problem.contains("too large"), "{problem}");
}

#[actix::test]
async fn calls_of_a_server_on_its_client_find_no_object() {
    tokio::time::pause();
    // It calls back instead of answering; the client has nothing to call, says so, and goes on waiting.
    let error = call(welcome(), frame(MessageType::Invoke, 1, |out| out.extend_from_slice(&[0, 0, 1]))).await;
    assert!(matches!(error, CallError::Unknown(_)), "{error:?}");
}
