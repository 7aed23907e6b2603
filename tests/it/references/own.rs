//! Objects that hand out their own proxies.

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use pyroxene::{Any, CallError, Daemon, Instances, Proxy, RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Option<Proxy>")]
struct Introduce;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Option<Proxy>")]
struct IntroduceLater;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Option<Proxy>")]
struct AtStart;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Count;

#[derive(Default, RemoteObject)]
#[remote(methods(Introduce, IntroduceLater, AtStart, Count))]
struct Guest {
    at_start: Option<Proxy>,
    counted: u64,
}

fn own(ctx: &Context<Guest>) -> Option<Proxy> {
    Proxy::of(ctx).map(|own| own.cast())
}

impl Actor for Guest {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.at_start = own(ctx);
    }
}

impl Handler<Introduce> for Guest {
    type Result = Option<Proxy>;
    fn handle(&mut self, _: Introduce, ctx: &mut Context<Self>) -> Option<Proxy> {
        own(ctx)
    }
}

impl Handler<IntroduceLater> for Guest {
    type Result = ResponseActFuture<Self, Option<Proxy>>;
    fn handle(&mut self, _: IntroduceLater, _: &mut Context<Self>) -> Self::Result {
        let later = tokio::task::yield_now().into_actor(self);
        Box::pin(later.map(|(), _, ctx: &mut Context<Self>| {
            let current = Proxy::<Guest>::current().map(|own| own.cast());
            assert_eq!(current, own(ctx));
            current
        }))
    }
}

impl Handler<AtStart> for Guest {
    type Result = Option<Proxy>;
    fn handle(&mut self, _: AtStart, _: &mut Context<Self>) -> Option<Proxy> {
        self.at_start.clone()
    }
}

impl Handler<Count> for Guest {
    type Result = u64;
    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
        self.counted += 1;
        self.counted
    }
}

async fn daemon() -> Daemon {
    Daemon::bind("127.0.0.1:0").await.unwrap()
}

#[actix::test]
async fn an_actor_has_its_own_proxy_wherever_it_has_its_context() {
    let daemon = daemon().await;
    let named = daemon.supervise("guest", Guest::default).await.unwrap();
    let nameless = daemon.host(Guest::default).spawn().await.unwrap();
    let chosen = daemon.host(Guest::default).id("chosen").spawn().await.unwrap();
    for guest in [named, nameless, chosen] {
        for own in [guest.send(Introduce).await, guest.send(IntroduceLater).await, guest.send(AtStart).await] {
            let own = own.unwrap().unwrap();
            assert_eq!(own, guest.cast::<Any>());
            assert!(own.is_local());
        }
        let own = guest.send(Introduce).await.unwrap().unwrap();
        assert_eq!((own.send(Count).await, guest.send(Count).await), (Ok(1), Ok(2)), "the same object");
    }
}

#[actix::test]
async fn an_actor_that_is_exported_has_one_also_when_its_own_process_asks() {
    let daemon = daemon().await;
    let addr = Guest::default().start();
    assert_eq!(addr.send(Introduce).await.unwrap(), None, "nobody but this process can call it");
    let exported = daemon.export("guest", &addr).unwrap();
    assert_eq!(addr.send(Introduce).await.unwrap(), Some(exported.cast()));
    assert_eq!(exported.send(Introduce).await, Ok(Some(exported.cast())));
    assert!(daemon.stop("guest"));
    assert_eq!(addr.send(Introduce).await.unwrap(), None, "it is no object any more");
}

#[actix::test]
async fn an_actor_without_a_name_is_called_by_those_who_have_its_proxy() {
    let daemon = daemon().await;
    let addr = Guest::default().start();
    let guest = daemon.export_nameless(&addr).unwrap();
    assert_eq!((guest.send(Count).await, addr.send(Count).await.unwrap()), (Ok(1), 2));
    let text = serde_json::to_string(&guest).unwrap();
    let again: Proxy<Guest> = serde_json::from_str(&text).unwrap();
    assert_eq!(again.send(Count).await, Ok(3));
    assert_eq!(guest.send(Introduce).await, Ok(Some(guest.cast())));
    assert!(daemon.end(&guest) && !daemon.end(&guest));
    assert!(matches!(guest.send(Count).await, Err(CallError::NotStarted(_))));
    assert_eq!(addr.send(Count).await.unwrap(), 4, "the actor goes on");
}

#[derive(Serialize, Deserialize, Message)]
#[rtype(result = "bool")]
struct Stranger;

impl Handler<Stranger> for Guest {
    type Result = bool;
    fn handle(&mut self, _: Stranger, ctx: &mut Context<Self>) -> bool {
        Proxy::of(ctx).is_none() && ctx.address().connected()
    }
}

#[actix::test]
async fn an_actor_that_no_daemon_knows_has_none() {
    assert!(Guest::default().start().send(Stranger).await.unwrap());
    assert!(Proxy::<Guest>::current().is_none());
}

#[derive(Default)]
struct Account {
    balance: u64,
}

#[pyroxene::remote]
impl Account {
    pub fn introduce(&self) -> Option<AccountProxy> {
        Proxy::<Account>::current().map(AccountProxy::from)
    }

    pub async fn introduce_later(&mut self) -> Option<AccountProxy> {
        tokio::task::yield_now().await;
        self.introduce()
    }

    #[remote(cancellable)]
    pub async fn introduce_gently(&self) -> Option<AccountProxy> {
        tokio::task::yield_now().await;
        self.introduce()
    }

    pub fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }

    pub fn is_a_guest(&self) -> bool {
        Proxy::<Guest>::current().is_some()
    }
}

#[actix::test]
async fn a_plain_struct_asks_for_the_current_object() {
    let daemon = daemon().await;
    let account = AccountProxy::from(daemon.supervise("alice", Account::default).await.unwrap());
    for own in [account.introduce().await, account.introduce_later().await, account.introduce_gently().await] {
        assert_eq!(own.unwrap().unwrap(), account);
    }
    assert_eq!(account.is_a_guest().await, Ok(false));
}

#[actix::test]
async fn an_instance_has_the_proxy_of_its_object() {
    let daemon = daemon().await;
    for instances in [Instances::PerSession, Instances::PerCall] {
        let spawned = daemon.host(Account::default).instances(instances).spawn().await.unwrap();
        let account = AccountProxy::from(spawned);
        let own = account.introduce().await.unwrap().unwrap();
        assert_eq!(own, account, "{instances:?}");
        let kept = instances == Instances::PerSession;
        assert_eq!((account.deposit(1).await, own.deposit(1).await), (Ok(1), Ok(if kept { 2 } else { 1 })));
    }
}
