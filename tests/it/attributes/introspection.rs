use pyroxene::daemon::introspection::{DAEMON_ID, DaemonObject, Describe, GetMetadata};
use pyroxene::uri::ObjectId;
use pyroxene::{Proxy, Uri};

use super::*;

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
