//! The actor around the registry: it says who calls and what time it is, and wakes when a lease ends.

use std::time::{Duration, Instant, SystemTime};

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};
use pyroxene::naming::name_server::{
    Count, CreateGroup, DeleteGroup, Find, List, Listing, NAME_SERVER_ID, PAGE_ENTRIES, Ping, Register, Registered,
    Registration, Renew, RenewName, Resolve, SetMetadata, Tree, Unregister, Withdraw, tags,
};
use pyroxene::naming::{Name, NamingError};
use pyroxene::uri::Uri;
use pyroxene::{CallContext, RemoteObject};
use slog::Logger;

use crate::name_server::Config;
use crate::name_server::caller::{Caller, OwnerId, Rights};
use crate::name_server::entry::{NewName, Removed};
use crate::name_server::registry::Registry;

type Answer<T> = Result<T, NamingError>;

/// The name server as an object. [`start`](crate::name_server::start) hosts one.
#[derive(RemoteObject)]
#[remote(methods(
    Register,
    Renew,
    RenewName,
    Unregister,
    Withdraw,
    Resolve,
    List,
    Tree,
    Find,
    CreateGroup,
    DeleteGroup,
    SetMetadata,
    Ping,
    Count
))]
pub struct NameServerActor {
    names: Registry,
    /// When it wakes next, for the lease that may end then.
    alarm: Option<(Instant, SpawnHandle)>,
    log: Logger,
}

impl NameServerActor {
    /// One that knows only itself, by its URI.
    pub fn new(uri: &Uri, config: &Config) -> NameServerActor {
        let mut names = Registry::new(config.limits).starting_after(microseconds());
        let itself = Name::absolute(NAME_SERVER_ID, &Name::root()).map(|name| NewName {
            name,
            uri: uri.clone(),
            lease: None,
            replace: false,
            tags: Default::default(),
        });
        if let Ok(itself) = itself {
            // Nothing is registered yet, and Pyroxene itself may register anything.
            let _ = names.register(Caller { owner: OwnerId::THIS_PROCESS, rights: Rights::Pyroxene }, itself, now());
        }
        NameServerActor { names, alarm: None, log: config.log.clone() }
    }

    fn register(&mut self, message: Register) -> Answer<Registration> {
        let new = NewName {
            name: message.name.parse()?,
            uri: message.uri,
            lease: message.lease_ms.map(|ms| Duration::from_millis(ms.into())),
            replace: message.replace,
            tags: tags(&message.metadata)?.into_iter().collect(),
        };
        let (name, uri) = (new.name.clone(), new.uri.to_string());
        let generation = self.names.register(Caller::current(), new, now())?;
        slog::debug!(self.log, "registered"; "name" => %name, "uri" => uri, "generation" => generation);
        Ok(Registration { generation })
    }

    /// Sees to it that the actor wakes when the next lease may end.
    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        let Some(due) = self.names.next_expiry() else { return };
        match self.alarm.take() {
            Some((at, alarm)) if at <= due => return self.alarm = Some((at, alarm)),
            Some((_, too_late)) => drop(ctx.cancel_future(too_late)),
            None => {}
        }
        let alarm = ctx.run_later(due.saturating_duration_since(now()), |server, ctx| {
            server.alarm = None;
            let expired = server.names.expire(now());
            server.tell("lease ended", &expired);
            server.set_alarm(ctx);
        });
        self.alarm = Some((due, alarm));
    }

    fn tell(&self, what: &'static str, removed: &[Removed]) {
        for Removed { name, uri, generation } in removed {
            slog::info!(self.log, "name removed"; "why" => what, "name" => %name, "uri" => %uri, "generation" => generation);
        }
    }
}

impl Caller {
    /// Who makes the call that is being handled. What runs in this process is trusted with every name; others have those that their
    /// session registers.
    fn current() -> Caller {
        match CallContext::current() {
            Some(call) if !call.caller.is_local() => {
                Caller { owner: OwnerId::of_session(call.caller.session), rights: Rights::Own }
            }
            _ => Caller { owner: OwnerId::THIS_PROCESS, rights: Rights::Pyroxene },
        }
    }
}

/// The runtime's clock, so that a simulation's leases end in its own time.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Since 1970: generations of a name server that has started anew go on above those that were handed out before.
fn microseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0)
}

fn counted(count: usize) -> u64 {
    count as u64
}

impl Actor for NameServerActor {
    type Context = Context<Self>;
}

impl Handler<Register> for NameServerActor {
    type Result = Answer<Registration>;

    fn handle(&mut self, message: Register, ctx: &mut Context<Self>) -> Self::Result {
        let registration = self.register(message)?;
        self.set_alarm(ctx);
        Ok(registration)
    }
}

impl Handler<Renew> for NameServerActor {
    type Result = Answer<u64>;

    fn handle(&mut self, _: Renew, _: &mut Context<Self>) -> Self::Result {
        Ok(counted(self.names.renew(Caller::current().owner, now())))
    }
}

impl Handler<RenewName> for NameServerActor {
    type Result = Answer<()>;

    fn handle(&mut self, message: RenewName, _: &mut Context<Self>) -> Self::Result {
        self.names.renew_name(Caller::current(), &message.name.parse()?, message.generation, now())
    }
}

impl Handler<Unregister> for NameServerActor {
    type Result = Answer<()>;

    fn handle(&mut self, message: Unregister, _: &mut Context<Self>) -> Self::Result {
        let removed = self.names.unregister(Caller::current(), &message.name.parse()?, message.generation)?;
        self.tell("unregistered", &[removed]);
        Ok(())
    }
}

impl Handler<Withdraw> for NameServerActor {
    type Result = Answer<u64>;

    fn handle(&mut self, _: Withdraw, _: &mut Context<Self>) -> Self::Result {
        let removed = self.names.withdraw(Caller::current().owner);
        self.tell("its owner ended", &removed);
        Ok(counted(removed.len()))
    }
}

impl Handler<Resolve> for NameServerActor {
    type Result = Answer<Registered>;

    fn handle(&mut self, message: Resolve, _: &mut Context<Self>) -> Self::Result {
        self.names.lookup(&message.name.parse()?)
    }
}

impl Handler<List> for NameServerActor {
    type Result = Answer<Listing>;

    fn handle(&mut self, message: List, _: &mut Context<Self>) -> Self::Result {
        self.names.list(&message.group.parse()?, message.after.as_ref(), PAGE_ENTRIES)
    }
}

impl Handler<Tree> for NameServerActor {
    type Result = Answer<Listing>;

    fn handle(&mut self, message: Tree, _: &mut Context<Self>) -> Self::Result {
        self.names.tree(&message.group.parse()?, message.after.as_ref(), PAGE_ENTRIES)
    }
}

impl Handler<Find> for NameServerActor {
    type Result = Answer<Listing>;

    fn handle(&mut self, message: Find, _: &mut Context<Self>) -> Self::Result {
        Ok(self.names.find(&tags(&message.tags)?, message.carrying, message.after.as_ref(), PAGE_ENTRIES))
    }
}

impl Handler<CreateGroup> for NameServerActor {
    type Result = Answer<()>;

    fn handle(&mut self, message: CreateGroup, _: &mut Context<Self>) -> Self::Result {
        self.names.create_group(Caller::current(), &message.group.parse()?)
    }
}

impl Handler<DeleteGroup> for NameServerActor {
    type Result = Answer<u64>;

    fn handle(&mut self, message: DeleteGroup, _: &mut Context<Self>) -> Self::Result {
        let removed = self.names.delete_group(Caller::current(), &message.group.parse()?, message.recursive)?;
        self.tell("its group was deleted", &removed);
        Ok(counted(removed.len()))
    }
}

impl Handler<SetMetadata> for NameServerActor {
    type Result = Answer<()>;

    fn handle(&mut self, message: SetMetadata, _: &mut Context<Self>) -> Self::Result {
        let tags = tags(&message.metadata)?.into_iter().collect();
        self.names.set_metadata(Caller::current(), &message.name.parse()?, tags)
    }
}

impl Handler<Ping> for NameServerActor {
    type Result = Answer<()>;

    fn handle(&mut self, _: Ping, _: &mut Context<Self>) -> Self::Result {
        Ok(())
    }
}

impl Handler<Count> for NameServerActor {
    type Result = Answer<u64>;

    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> Self::Result {
        Ok(counted(self.names.len()))
    }
}

#[cfg(test)]
mod tests;
