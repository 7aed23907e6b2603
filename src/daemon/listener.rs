//! From an accepted stream to a connection on its object's thread.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::MissedTickBehavior;

use crate::daemon::daemon::{Daemon, Inner};
use crate::object::local::LocalDaemon;
use crate::peer::greeting;
use crate::peer::handshake::{self, Greeting};
use crate::transport::{Listener, Stream};
use crate::wire::Target;

/// The pause after a failed accept, the first time and at most: a process without free descriptors must not spin, and must not give up.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How often what is forgotten after a while is looked for.
const TIDY: Duration = Duration::from_secs(30);

/// Takes connections until the daemon ends.
pub(crate) fn listen(daemon: &Daemon, mut listener: Box<dyn Listener>) {
    let inner = Arc::downgrade(&daemon.0);
    let mut closing = daemon.0.closing.subscribe();
    let log = daemon.0.config.log.clone();
    actix_rt::spawn(async move {
        let mut pause = PAUSE.0;
        let mut tidy = tokio::time::interval(TIDY);
        tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let accepted = tokio::select! {
                biased;
                _ = closing.changed() => break,
                accepted = listener.accept() => accepted,
                now = tidy.tick() => {
                    if let Some(inner) = inner.upgrade() {
                        inner.sessions.tidy(now);
                        inner.relays.tidy(now);
                    }
                    continue;
                }
            };
            match (accepted, inner.upgrade()) {
                (_, None) => break,
                (Ok(stream), Some(inner)) => {
                    pause = PAUSE.0;
                    greet(&inner, stream);
                }
                (Err(problem), Some(_)) => {
                    slog::warn!(log, "cannot accept a connection"; "problem" => %problem);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
        // In this order: whoever waits for the second may listen at the address again.
        drop(listener);
        drop(closing);
    });
}

/// Hears what the client wants, and hands the connection over to the thread of the object it is for.
pub(crate) fn greet(inner: &Arc<Inner>, stream: Stream) {
    let inner = Arc::clone(inner);
    actix_rt::spawn(async move {
        let log = inner.config.log.clone();
        let peer = stream.peer().to_owned();
        // Counted before a word is said, so that strangers count as well.
        let Ok(place) = Arc::clone(&inner.places).try_acquire_owned() else {
            slog::warn!(log, "connection refused: too many are open"; "peer" => peer);
            return greeting::refuse(stream, "the daemon has too many connections; try again later").await;
        };
        match handshake::accept(stream, &inner.config.limits).await {
            Ok(greeting) => hand_over(&inner, greeting, place),
            Err(problem) => slog::warn!(log, "connection refused"; "peer" => peer, "problem" => %problem),
        }
    });
}

fn hand_over(inner: &Arc<Inner>, greeting: Greeting, place: OwnedSemaphorePermit) {
    let seat = inner.seat_of(greeting.target());
    let log = inner.config.log.clone();
    let detached = match greeting.detach() {
        Ok(detached) => detached,
        Err(problem) => return slog::warn!(log, "connection lost on its way to another thread"; "problem" => %problem),
    };
    if matches!(detached.target(), Target::Connection { .. }) {
        let sessions = Arc::clone(&inner.sessions);
        // The place is that of the stream that was lost.
        actix_rt::spawn(async move { detached.hand_over(&sessions).await });
        return drop(place);
    }
    let inner = Arc::clone(inner);
    let placement = Arc::clone(&inner.placement);
    placement.run(
        seat,
        Box::new(move || {
            let daemon: Weak<dyn LocalDaemon> = Arc::downgrade(&(Arc::clone(&inner) as Arc<dyn LocalDaemon>));
            let config = &inner.config;
            match detached.serve(daemon, &inner.sessions, &config.limits, inner.incarnation, (config.spin, &log)) {
                Ok((shared, mut driver)) => {
                    driver.lend(Arc::clone(&inner.relays));
                    inner.add_connection(&shared);
                    // Beside the objects, in the arbiter's own queue of tasks: from there to an actor is no detour.
                    let run = Box::new(driver).run();
                    actix_rt::spawn(async move {
                        run.await;
                        drop(place);
                    });
                }
                Err(problem) => slog::warn!(log, "connection lost on its way to its object"; "problem" => %problem),
            }
        }),
    );
}
