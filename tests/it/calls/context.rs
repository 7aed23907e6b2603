//! What a handler knows of its call, and what goes beside arguments and replies.

use pyroxene::wire::{AnnotationId, Annotations, CorrelationId, Flags, FrameWriter, MessageType, SerializerId};
use pyroxene::{AnnotationError, CallContext, CallError, DynProxy, NotStarted, Proxy, args};

use crate::support::pair::Pair;
use crate::support::raw_peer::RawPeer;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Tells what it knows of its call.
struct Clerk {
    next: Option<ClerkProxy>,
}

/// User, trace, and whether the reply could be annotated.
type Known = (Option<Vec<u8>>, Option<String>, Result<(), String>);

fn known() -> Known {
    let call = CallContext::current().unwrap();
    let annotated = call.annotate_reply(*b"COST", b"7").map_err(|error| error.to_string());
    (call.annotation(*b"USER").map(<[u8]>::to_vec), call.traceparent().map(str::to_owned), annotated)
}

#[pyroxene::remote]
impl Clerk {
    pub fn at_once(&self) -> Known {
        known()
    }

    pub async fn later(&mut self) -> Known {
        tokio::task::yield_now().await;
        known()
    }

    #[remote(cancellable)]
    pub async fn perhaps(&self) -> Known {
        tokio::task::yield_now().await;
        known()
    }

    pub fn refuse(&self) -> Result<u64, crate::support::worker::Refused> {
        drop(known());
        Err(crate::support::worker::Refused { id: 1 })
    }

    /// What the next one knows of a call that is made on behalf of this one.
    pub async fn ask_next(&self) -> Known {
        match &self.next {
            Some(next) => next.at_once().await.unwrap(),
            None => known(),
        }
    }
}

async fn clerks(pair: &Pair) -> [ClerkProxy; 2] {
    let next = ClerkProxy::from(pair.host("next", || Clerk { next: None }).await);
    let factory = move || Clerk { next: Some(next.clone()) };
    let here = pair.daemon.supervise("clerk", factory).await.unwrap();
    let there = Proxy::<Clerk>::connect_with(&pair.client, here.uri()).await.unwrap();
    [there.into(), here.into()]
}

fn cost(annotations: &Annotations) -> Option<&[u8]> {
    annotations.find(AnnotationId(*b"COST"))
}

#[actix::test]
async fn annotations_go_both_ways_whatever_kind_of_handler_it_is() {
    let pair = Pair::memory().await;
    for clerk in &clerks(&pair).await {
        let (known, annotations) = clerk.at_once().annotation(*b"USER", "eve").annotated().await;
        assert_eq!(known.unwrap(), (Some(b"eve".to_vec()), None, Ok(())));
        assert_eq!(cost(&annotations), Some(&b"7"[..]));
        let (known, annotations) = clerk.later().annotation(*b"USER", "bob").annotated().await;
        assert_eq!((known.unwrap().0, cost(&annotations)), (Some(b"bob".to_vec()), Some(&b"7"[..])));
        let (known, annotations) = clerk.perhaps().annotation(*b"USER", "bob").annotated().await;
        assert_eq!((known.unwrap().0, cost(&annotations)), (Some(b"bob".to_vec()), Some(&b"7"[..])));
        let (refused, annotations) = clerk.refuse().annotation(*b"USER", "bob").annotated().await;
        assert!(matches!(refused, Err(CallError::Raised(_))));
        assert_eq!(cost(&annotations), Some(&b"7"[..]), "an error has them as well");
    }
}

#[actix::test]
async fn a_call_is_not_annotated_with_what_the_one_before_it_said() {
    let pair = Pair::memory().await;
    for clerk in &clerks(&pair).await {
        let (_, annotations) = clerk.at_once().annotation(*b"USER", "eve").traceparent(TRACE).annotated().await;
        assert!(cost(&annotations).is_some());
        let (known, annotations) = clerk.at_once().annotated().await;
        assert_eq!(known.unwrap(), (None, None, Err(AnnotationError::Unasked.to_string())));
        assert!(annotations.is_empty());
    }
}

#[actix::test]
async fn somebody_without_types_annotates_likewise() {
    let pair = Pair::memory().await;
    let [there, here] = clerks(&pair).await;
    for uri in [there.proxy().uri(), here.proxy().uri()] {
        let clerk = DynProxy::connect_with(&pair.client, uri.clone()).await.unwrap();
        let call = clerk.call("at_once", args![]).annotation(*b"USER", "eve").traceparent(TRACE);
        let (known, annotations) = call.annotated().await;
        let known = known.unwrap().to_string();
        assert!(known.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "{known}");
        assert_eq!(cost(&annotations), Some(&b"7"[..]));
    }
}

#[actix::test]
async fn calls_on_behalf_of_a_call_belong_to_its_trace_and_know_nothing_of_its_annotations() {
    let pair = Pair::memory().await;
    for clerk in &clerks(&pair).await {
        let (user, trace, _) = clerk.ask_next().annotation(*b"USER", "eve").traceparent(TRACE).await.unwrap();
        assert_eq!((user, trace.as_deref()), (None, Some(TRACE)));
        let (_, trace, _) = clerk.ask_next().await.unwrap();
        assert_eq!(trace, None);
    }
}

#[actix::test]
async fn what_cannot_be_an_annotation_is_not_sent() {
    let pair = Pair::memory().await;
    for clerk in &clerks(&pair).await {
        for (call, why) in [
            (clerk.at_once().annotation(*b"DLIN", [0; 4]), "not yours"),
            (clerk.at_once().annotation(*b"BLOB", [0; 5_000]), "4096 bytes"),
            (clerk.at_once().traceparent("00-1-2-3"), "not a traceparent"),
        ] {
            let error = call.await.unwrap_err();
            assert!(matches!(error, CallError::NotStarted(NotStarted::NotSent { .. })), "{error:?}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}

#[actix::test]
async fn a_trace_that_is_not_spelled_right_is_passed_over() {
    let pair = Pair::memory().await;
    let [_, here] = clerks(&pair).await;
    let (mut peer, _) = RawPeer::greet(&*pair.network, pair.daemon.endpoint(), "worker").await;
    let mut out = Vec::new();
    let (kind, id) = (MessageType::Invoke, SerializerId::JSON);
    let mut frame = FrameWriter::begin(&mut out, kind, id, Flags::default(), 1, CorrelationId::NONE);
    frame.annotate(&mut out, AnnotationId::TRACE, b"00-zz");
    frame.annotate(&mut out, AnnotationId(*b"USER"), b"eve");
    let object = here.proxy().uri().to_string().rsplit('/').next().unwrap().to_owned();
    out.extend_from_slice(
        format!(r#"{{"object": "{object}", "method": "at_once", "params": [], "kwargs": {{}}}}"#).as_bytes(),
    );
    frame.finish(&mut out, u32::MAX).unwrap();
    peer.send(&out).await;
    let reply = peer.frame().await.unwrap();
    let text = String::from_utf8_lossy(&reply.payload).into_owned();
    assert!(text.contains("null"), "it has no trace: {text}");
    assert_eq!(cost(&reply.annotations), Some(&b"7"[..]), "{text}");
}
