use pyroxene::codec::call::{NamedCall, NamedConnect};
use pyroxene::daemon::introspection::{DAEMON_ID, DaemonObject, Describe, GetMetadata};
use pyroxene::transport::SystemNetwork;
use pyroxene::uri::ObjectId;
use pyroxene::wire::{CorrelationId, Flags, FrameWriter, MessageType, SerializerId};
use pyroxene::{Proxy, Uri, args};

use super::*;
use crate::support::raw_peer::RawPeer;

#[actix::test]
async fn the_daemon_tells_of_attributes() {
    let (_daemon, [_, there]) = accounts().await;
    let uri = there.uri().to_string();
    let (daemon, _) = uri.rsplit_once('/').unwrap();
    let asked: Uri = format!("{daemon}/{}", ObjectId::new(DAEMON_ID).unwrap()).parse().unwrap();
    let daemon = Proxy::<DaemonObject>::connect(asked).await.unwrap();
    let described = daemon.send(Describe { object: "object".into() }).await.unwrap();
    let attributes: Vec<(&str, &str, bool)> =
        described.attributes.iter().map(|one| (one.name.as_str(), one.text.as_str(), one.writable)).collect();
    assert_eq!(attributes[..2], [("owner", "text", true), ("balance", "u64", false)]);
    assert!(attributes.contains(&("address.street", "text", true)), "{attributes:?}");
    assert!(attributes.contains(&("address.geo.long", "f64", true)), "{attributes:?}");
    assert_eq!(described.attributes[0].doc, "Who has it.");
    let methods: Vec<&str> = described.methods.iter().map(|method| method.text.as_str()).collect();
    assert!(methods.contains(&"address.move_to(street: text) -> u64 raises NoStreet { street: text }"), "{methods:?}");
    assert!(!methods.iter().any(|method| method.contains("__")), "{methods:?}");

    let metadata = daemon.send(GetMetadata { object_id: described.id }).await.unwrap();
    assert_eq!(metadata.attrs, ["owner", "balance", "history", "rates", "address"]);
    assert_eq!(metadata.methods, ["deposit", "address.geo.swap", "address.move_to"]);
}

/// A frame in JSON.
fn json(kind: MessageType, payload: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    let frame = FrameWriter::begin(&mut out, kind, SerializerId::JSON, Flags::default(), 1, CorrelationId::NONE);
    payload(&mut out);
    frame.finish(&mut out, u32::MAX).unwrap();
    out
}

#[actix::test]
async fn clients_of_pyro_read_and_write_attributes() {
    let (daemon, [here, _]) = accounts().await;
    let object = here.uri().to_string().rsplit_once('/').unwrap().1.to_owned();
    let mut peer = RawPeer::connect(&SystemNetwork, daemon.endpoint()).await;
    let connect = NamedConnect { object: object.clone() };
    peer.send(&json(MessageType::Connect, |out| connect.encode(SerializerId::JSON, out).unwrap())).await;
    let answer = peer.frame().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(answer["meta"]["attrs"], serde_json::json!(["owner", "balance", "history", "rates", "address"]));
    assert_eq!(answer["meta"]["methods"], serde_json::json!(["deposit", "address.geo.swap", "address.move_to"]));
    for (method, args, reply) in [
        ("__getattr__", args!["owner"], "\"alice\""),
        ("__setattr__", args!["owner", "eve"], "null"),
        ("__getattr__", args!["owner"], "\"eve\""),
    ] {
        let call = NamedCall { object: object.clone(), method: method.into(), args };
        peer.send(&json(MessageType::Invoke, |out| call.encode(SerializerId::JSON, out).unwrap())).await;
        assert_eq!(peer.frame().await.unwrap().payload[..], *reply.as_bytes());
    }
    let call = NamedCall { object, method: "__setattr__".into(), args: args!["pin", 7] };
    peer.send(&json(MessageType::Invoke, |out| call.encode(SerializerId::JSON, out).unwrap())).await;
    let fault = peer.fault().await;
    assert_eq!((fault.class.as_str(), fault.message.as_str()), ("AttributeError", "there is no attribute \"pin\""));
}
