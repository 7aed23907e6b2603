//! Large byte arrays: sent from where they are, and part of what was read where they arrive.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, MessageResult};
use bytes::Bytes;
use pyroxene::client::client::ClientConfig;
use pyroxene::transport::{Network, SystemNetwork};
use pyroxene::wire::Limits;
use pyroxene::{CallError, Daemon, DynProxy, NotStarted, Proxy, RemoteMessage, RemoteObject, Value, args};
use serde::{Deserialize, Serialize};

use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, Setup, brittle_client_over, client_over, client_with};

const KIB: usize = 1024;

#[derive(Default)]
pub(crate) struct Gallery;

#[pyroxene::remote]
impl Gallery {
    pub fn echo(&self, picture: Bytes) -> Bytes {
        picture
    }

    pub fn list(&self, picture: Vec<u8>) -> Vec<u8> {
        picture
    }

    /// The lengths, and the pictures one after the other.
    pub fn frame(
        &self,
        title: String,
        left: Bytes,
        between: Vec<u8>,
        right: Bytes,
        mark: u16,
    ) -> (String, u16, Vec<u8>) {
        let all = [&left[..], &between, &right].concat();
        (title, mark, all)
    }

    /// Whether the list has more memory than it needs, as one that was copied has not.
    pub fn moved(&self, list: Vec<u8>, _mark: u32) -> bool {
        list.capacity() > list.len()
    }

    pub fn fill(&self, bytes: u32) -> Vec<u8> {
        vec![7; bytes as usize]
    }

    /// The name, how many bytes there are, and the bytes.
    pub fn lists(&self, left: Vec<u8>, name: String, right: Vec<u8>, inner: Vec<Vec<u8>>) -> (String, usize, Vec<u8>) {
        let sum = left.len() + right.len() + inner.iter().map(Vec::len).sum::<usize>();
        (name, sum, [left, right, inner.concat()].concat())
    }
}

/// A message that was written by hand.
#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "(Vec<u8>, Vec<u8>)")]
struct Keep {
    #[serde(default, with = "pyroxene::codec::blob")]
    picture: Vec<u8>,
    /// What serde writes stays where it is.
    plain: Vec<u8>,
}

/// One whose list is looked at before it is written.
#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Vec<u8>")]
struct Sort {
    #[serde(with = "pyroxene::codec::blob", skip_serializing_if = "Vec::is_empty")]
    picture: Vec<u8>,
}

/// One whose list is looked at when it is read, and which is written as something else.
#[derive(Clone, Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Vec<u8>")]
#[serde(try_from = "Framed", into = "Framed")]
struct Hang {
    #[serde(with = "pyroxene::codec::blob")]
    picture: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Framed(#[serde(with = "pyroxene::codec::blob")] Vec<u8>);

impl From<Hang> for Framed {
    fn from(hang: Hang) -> Framed {
        Framed(hang.picture)
    }
}

impl TryFrom<Framed> for Hang {
    type Error = &'static str;

    fn try_from(Framed(picture): Framed) -> Result<Hang, &'static str> {
        if picture.is_empty() { Err("an empty frame") } else { Ok(Hang { picture }) }
    }
}

#[derive(Default, RemoteObject)]
#[remote(methods(Keep, Sort, Hang))]
struct Archive;

impl Actor for Archive {
    type Context = Context<Self>;
}

impl Handler<Keep> for Archive {
    type Result = MessageResult<Keep>;

    fn handle(&mut self, keep: Keep, _: &mut Context<Self>) -> Self::Result {
        MessageResult((keep.picture, keep.plain))
    }
}

impl Handler<Hang> for Archive {
    type Result = Vec<u8>;

    fn handle(&mut self, hang: Hang, _: &mut Context<Self>) -> Vec<u8> {
        hang.picture
    }
}

impl Handler<Sort> for Archive {
    type Result = Vec<u8>;

    fn handle(&mut self, sort: Sort, _: &mut Context<Self>) -> Vec<u8> {
        sort.picture
    }
}

/// So many bytes of which no two pieces are alike.
fn picture(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| ((at / 251) ^ at) as u8).collect()
}

async fn gallery(pair: &Pair) -> GalleryProxy {
    GalleryProxy::from(pair.host("gallery", Gallery::default).await)
}

const SIZES: [usize; 9] =
    [0, 1, 4 * KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 200 * KIB, 1024 * KIB, 5 * 1024 * KIB + 3];

#[actix::test]
async fn they_arrive_as_they_were_whatever_their_size() {
    for setup in [Setup::memory(), Setup::tcp()] {
        tokio::time::resume();
        let pair = setup.pair().await;
        let gallery = gallery(&pair).await;
        for size in SIZES {
            let sent = Bytes::from(picture(size));
            assert!(gallery.echo(sent.clone()).await.unwrap() == sent, "{size}");
            assert!(gallery.list(sent.to_vec()).await.unwrap() == sent, "{size}");
        }
        tokio::time::pause();
    }
}

#[actix::test]
async fn what_stands_between_them_stays_there() {
    let pair = Pair::memory().await;
    let gallery = gallery(&pair).await;
    for left in SIZES {
        for (between, right) in [(0, 64 * KIB), (10, 300 * KIB), (70 * KIB, 3), (4 * KIB, 0)] {
            let (a, b, c) = (picture(left), picture(between), picture(right));
            let all = [&a[..], &b, &c].concat();
            let framed = gallery.frame("title".into(), a.into(), b, c.into(), 512).await.unwrap();
            assert!(framed == ("title".into(), 512, all), "{left}, {between}, {right}");
        }
    }
}

#[actix::test]
async fn lists_move_out_of_their_messages_and_into_them() {
    let pair = Pair::memory().await;
    let gallery = gallery(&pair).await;
    for left in SIZES {
        for (right, inner) in [(0, 64 * KIB), (300 * KIB, 10), (70 * KIB, 500 * KIB)] {
            let (a, b, c) = (picture(left), picture(right), [picture(inner), picture(3)]);
            let all = [&a[..], &b, &c.concat()].concat();
            let (name, sum, joined) = gallery.lists(a, "title".into(), b, c.into()).await.unwrap();
            assert!((name.as_str(), sum) == ("title", all.len()) && joined == all, "{left}, {right}, {inner}");
        }
    }
    assert!(gallery.moved(picture(300 * KIB), 7).await.unwrap());
    assert!(!gallery.moved(picture(60 * KIB), 7).await.unwrap(), "a small one is copied");
    let archive: Proxy<Archive> = pair.host("archive", Archive::default).await;
    for size in SIZES {
        let keep = Keep { picture: picture(size), plain: picture(size + 1) };
        assert!(archive.send(keep).await.unwrap() == (picture(size), picture(size + 1)), "{size}");
    }
    assert!(archive.send(Sort { picture: picture(300 * KIB) }).await.unwrap() == picture(300 * KIB));
    assert!(archive.send(Hang { picture: picture(300 * KIB) }).await.unwrap() == picture(300 * KIB));
}

#[actix::test]
async fn a_list_whose_call_is_sent_again_is_still_there() {
    let pair = Pair::memory().await;
    pair.daemon.supervise("gallery", Gallery::default).await.unwrap();
    let uri = format!("PYROLOC://{}/gallery", pair.daemon.endpoint());
    let plan = Plan { out: Some((700_000, Fault::Break)), ..Plan::default() };
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    // Without a session to resume the message is written anew.
    let client = brittle_client_over(&(Arc::clone(&flaky) as Arc<dyn Network>));
    let gallery = GalleryProxy::from(Proxy::connect_with(&client, uri.as_str()).await.unwrap());
    let sent = picture(1_000_000);
    assert!(gallery.list(sent.clone()).await.unwrap() == sent);
    assert_eq!(flaky.attempts(), 2);
}

#[actix::test]
async fn lists_in_a_batch_and_within_a_process_are_what_they_were() {
    let pair = Pair::memory().await;
    let far = gallery(&pair).await;
    let near = GalleryProxy::from(pair.daemon.supervise("near", Gallery::default).await.unwrap());
    let sent = picture(300 * KIB);
    for gallery in [far, near] {
        assert!(gallery.list(sent.clone()).await.unwrap() == sent);
        for outcome in gallery.proxy().batch().add_all((0..3).map(|_| gallery.list(sent.clone()))).send().await {
            assert!(outcome.unwrap() == sent);
        }
    }
}

#[actix::test]
async fn calls_beside_each_other_do_not_mix_them() {
    let pair = Pair::memory().await;
    let gallery = gallery(&pair).await;
    let calls: Vec<_> = (0..30_usize)
        .map(|n| {
            let (gallery, sent) = (gallery.clone(), Bytes::from(vec![n as u8; n * 20_011]));
            actix::spawn(async move { gallery.echo(sent.clone()).await.unwrap() == sent })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
}

#[actix::test]
async fn a_link_that_breaks_within_one_loses_nothing_of_it() {
    let pair = Pair::memory().await;
    pair.daemon.supervise("gallery", Gallery::default).await.unwrap();
    let uri = format!("PYROLOC://{}/gallery", pair.daemon.endpoint());
    for (out, back) in [(70_000, 400_000), (900_000, 900_000), (65_700, 66_000), (1_000_100, 3_000)] {
        let plan = Plan { out: Some((out, Fault::Break)), back: Some((back, Fault::Break)), ..Plan::default() };
        let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan; 2]));
        let client = client_over(&(Arc::clone(&flaky) as Arc<dyn Network>));
        let gallery = GalleryProxy::from(Proxy::connect_with(&client, uri.as_str()).await.unwrap());
        let sent = Bytes::from(picture(1_000_000));
        assert!(gallery.echo(sent.clone()).await.unwrap() == sent, "{plan:?}");
        assert!(gallery.list(sent.to_vec()).await.unwrap() == sent, "{plan:?}");
        assert!(flaky.attempts() >= 3, "{plan:?}: {}", flaky.attempts());
    }
}

#[actix::test]
async fn one_that_is_too_large_is_told_so_and_nobody_else_is_disturbed() {
    let limits = Limits { max_message: 200 * KIB as u32, ..Limits::default() };
    let pair = Setup { limits: limits.clone(), ..Setup::memory() }.pair().await;
    let uri = pair.daemon.supervise("gallery", Gallery::default).await.unwrap().uri().clone();
    let network = Arc::clone(&pair.network);
    let client = client_with(ClientConfig { network, limits, ..ClientConfig::default() });
    let gallery = GalleryProxy::from(Proxy::connect_with(&client, uri).await.unwrap());
    let Err(CallError::NotStarted(why @ NotStarted::NotSent { .. })) = gallery.echo(picture(300 * KIB).into()).await
    else {
        panic!()
    };
    assert!(why.to_string().contains("204800"), "{why}");
    let ran = gallery.fill(300 * KIB as u32).await.map(|reply| reply.len()).unwrap_err();
    assert!(ran.to_string().contains("204800"), "{ran}");
    assert_eq!(gallery.fill(100 * KIB as u32).await.unwrap().len(), 100 * KIB);
    assert_eq!(gallery.echo(picture(199 * KIB).into()).await.unwrap().len(), 199 * KIB);
}

#[actix::test]
async fn who_knows_only_names_sends_bytes_or_numbers_near_and_far() {
    let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
    let uri = daemon.supervise("gallery", Gallery::default).await.unwrap().uri().clone();
    let near = DynProxy::connect(uri.clone()).await.unwrap();
    let network: Arc<dyn Network> = Arc::new(SystemNetwork);
    let far = DynProxy::connect_with(&client_over(&network), uri).await.unwrap();
    let bytes = Value::Bytes(Bytes::from_static(&[1, 2, 255]));
    for sent in [bytes.clone(), Value::List([1, 2, 255].map(Value::Int).into())] {
        for (method, gallery) in [("echo", &near), ("list", &near), ("echo", &far), ("list", &far)] {
            let reply = gallery.call(method, args![sent.clone()]).await.unwrap();
            assert_eq!(reply, bytes, "{method} of {sent:?}");
        }
    }
}
