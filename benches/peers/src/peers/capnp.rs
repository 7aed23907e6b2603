//! capnp-rpc between two vats. What `capnpc` writes is written by hand here, so that no `capnp` compiler is needed; arguments and results are
//! `Data` where generated code would have a struct around it:
//!
//! ```capnp
//! interface Echo @0xe59d1f3ae7c4b2a1 {
//!   echo @0 Data -> Data;
//!   tell @1 Data -> stream;
//!   told @2 () -> Data;
//! }
//! ```

use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::Bytes;
use capnp::capability::{
    Client, DispatchCallResult, FromClientHook, FromServer, Params, Promise, Request, Results, Server, StreamingRequest,
};
use capnp::private::capability::ClientHook;
use capnp::{any_pointer, data};
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, new_client, twoparty};
use futures::io::{BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use crate::calls::{self, Tally, call, callers, number, stamped};
use crate::peer::{Connection, Peer, Support};
use crate::peers::runtime;
use crate::process::announce;
use crate::workload::{Figures, Task, Workload};

pub struct Capnp;

const ECHO_INTERFACE: u64 = 0xe59d_1f3a_e7c4_b2a1;
const ECHO: u16 = 0;
const TELL: u16 = 1;
const TOLD: u16 = 2;

impl Peer for Capnp {
    fn id(&self) -> &'static str {
        "capnp"
    }

    fn title(&self) -> &'static str {
        "capnp-rpc 0.27"
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W5 => {
                Support::Differently("calls of a streaming method: each is answered, and its flow control awaits that")
            }
            _ => Support::Yes,
        }
    }

    fn serve(&self, _: Workload) -> Result<()> {
        LocalSet::new().block_on(&runtime()?, async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            announce(listener.local_addr()?)?;
            let echo: EchoClient = new_client(Echo::default());
            loop {
                let (stream, _) = listener.accept().await?;
                let network = network(stream, Side::Server)?;
                spawn_local(RpcSystem::new(Box::new(network), Some(echo.clone().0)));
            }
        })
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        let connect = async || {
            let network = network(TcpStream::connect(&task.address).await?, Side::Client)?;
            let mut system = RpcSystem::new(Box::new(network), None);
            let echo: EchoClient = system.bootstrap(Side::Server);
            spawn_local(system);
            Ok(echo)
        };
        LocalSet::new().block_on(&runtime()?, calls::run(task, connect))
    }
}

type Network = twoparty::VatNetwork<BufReader<tokio_util::compat::Compat<tokio::net::tcp::OwnedReadHalf>>>;

fn network(stream: TcpStream, side: Side) -> Result<Network> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let (reader, writer) = (BufReader::new(reader.compat()), BufWriter::new(writer.compat_write()));
    Ok(twoparty::VatNetwork::new(reader, writer, side, Default::default()))
}

/// The object.
#[derive(Default)]
struct Echo {
    told: Cell<(u64, u64)>,
}

impl Echo {
    fn dispatch(
        &self,
        method: u16,
        params: &Params<any_pointer::Owned>,
        mut results: Results<any_pointer::Owned>,
    ) -> capnp::Result<()> {
        let payload = || params.get()?.get_as::<data::Reader<'_>>();
        match method {
            ECHO => results.get().set_as::<data::Owned>(payload()?),
            TELL => {
                let (calls, sum) = self.told.get();
                self.told.set((calls + 1, sum.wrapping_add(number(payload()?))));
                Ok(())
            }
            TOLD => {
                let (calls, sum) = self.told.get();
                results.get().set_as::<data::Owned>(&[calls.to_le_bytes(), sum.to_le_bytes()].concat()[..])
            }
            _ => Err(capnp::Error::unimplemented("there are echo, tell and told".to_owned())),
        }
    }
}

/// What stands between the object and the vat.
struct Dispatch(Rc<Echo>);

impl Clone for Dispatch {
    fn clone(&self) -> Self {
        Dispatch(Rc::clone(&self.0))
    }
}

impl Deref for Dispatch {
    type Target = Echo;

    fn deref(&self) -> &Echo {
        &self.0
    }
}

impl Server for Dispatch {
    fn dispatch_call(
        self,
        _: u64,
        method: u16,
        params: Params<any_pointer::Owned>,
        results: Results<any_pointer::Owned>,
    ) -> DispatchCallResult {
        let promise = Promise::from(self.dispatch(method, &params, results));
        DispatchCallResult::new(promise, method == TELL)
    }

    fn as_ptr(&self) -> usize {
        Rc::as_ptr(&self.0) as usize
    }
}

/// The reference to it.
#[derive(Clone)]
struct EchoClient(Client);

impl FromClientHook for EchoClient {
    fn new(hook: Box<dyn ClientHook>) -> Self {
        EchoClient(Client::new(hook))
    }

    fn into_client_hook(self) -> Box<dyn ClientHook> {
        self.0.hook
    }

    fn as_client_hook(&self) -> &dyn ClientHook {
        self.0.hook.as_ref()
    }
}

impl FromServer<Echo> for EchoClient {
    type Dispatch = Dispatch;

    fn from_server(echo: Rc<Echo>) -> Dispatch {
        Dispatch(echo)
    }
}

impl EchoClient {
    async fn ask(&self, method: u16, payload: &[u8]) -> Result<Bytes> {
        let mut request: Request<any_pointer::Owned, any_pointer::Owned> =
            self.0.new_call(ECHO_INTERFACE, method, None);
        request.get().set_as::<data::Owned>(payload)?;
        let response = request.send().promise.await?;
        Ok(Bytes::copy_from_slice(response.get()?.get_as::<data::Reader<'_>>()?))
    }
}

impl Connection for EchoClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        self.ask(ECHO, &payload).await
    }

    async fn tell(&self, number: u64) -> Result<()> {
        let mut request: StreamingRequest<any_pointer::Owned> = self.0.new_streaming_call(ECHO_INTERFACE, TELL, None);
        request.get().set_as::<data::Owned>(&stamped(number)[..])?;
        Ok(request.send().await?)
    }

    async fn told(&self) -> Result<(u64, u64)> {
        let reply = self.ask(TOLD, &[]).await?;
        Ok((number(&reply), number(reply.get(8..).context("the sum is missing")?)))
    }

    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(depth, |numbers| spawn_local(call(self.clone(), numbers, tally.clone())))
    }
}
