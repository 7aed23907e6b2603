//! tonic with prost over one HTTP/2 connection. What `tonic-build` writes is written by hand here, so that no `protoc` is needed:
//!
//! ```proto
//! package peers;
//! message Payload { bytes bytes = 1; }
//! message Told { uint64 calls = 1; uint64 sum = 2; }
//! service Echo {
//!   rpc Echo(Payload) returns (Payload);
//!   rpc Tell(stream Payload) returns (Told);
//!   rpc Told(Told) returns (Told);
//! }
//! ```

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{Body, BoxFuture, Service, StdError};
use tonic::server::{ClientStreamingService, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::calls::{self, Tally, call, callers, number, stamp};
use crate::peer::{Connection, Peer, Support};
use crate::peers::runtime;
use crate::process::announce;
use crate::workload::{Figures, Task, Workload};

pub struct Tonic;

const ECHO: &str = "/peers.Echo/Echo";
const TELL: &str = "/peers.Echo/Tell";
const TOLD: &str = "/peers.Echo/Told";
/// Oneway payloads that wait for their stream.
const WAITING: usize = 1024;

#[derive(Clone, PartialEq, prost::Message)]
struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    bytes: Bytes,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Told {
    #[prost(uint64, tag = "1")]
    calls: u64,
    #[prost(uint64, tag = "2")]
    sum: u64,
}

impl Peer for Tonic {
    fn id(&self) -> &'static str {
        "tonic"
    }

    fn title(&self) -> &'static str {
        "tonic 0.14"
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W5 => Support::Differently("it has no oneway calls: a call whose argument is a stream"),
            _ => Support::Yes,
        }
    }

    fn serve(&self, _: Workload) -> Result<()> {
        runtime()?.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            announce(format_args!("http://{}", listener.local_addr()?))?;
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            Ok(Server::builder().add_service(Echo::default()).serve_with_incoming(incoming).await?)
        })
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        runtime()?.block_on(calls::run(task, async || {
            let channel = Endpoint::from_shared(task.address.clone())?.tcp_nodelay(true).connect().await?;
            let (tell, payloads) = mpsc::channel(WAITING);
            let mut stub = tonic::client::Grpc::new(channel.clone());
            if task.shape == Workload::W5.shape(0) {
                tokio::spawn(async move {
                    stub.ready().await?;
                    let request = Request::new(ReceiverStream::new(payloads));
                    let codec = ProstCodec::<Payload, Told>::default();
                    stub.client_streaming(request, PathAndQuery::from_static(TELL), codec).await?;
                    anyhow::Ok(())
                });
            }
            Ok(Stub { channel, tell })
        }))
    }
}

/// The service: clones have the same state.
#[derive(Clone, Default)]
struct Echo(Arc<Mutex<Told>>);

impl NamedService for Echo {
    const NAME: &'static str = "peers.Echo";
}

impl<B> Service<http::Request<B>> for Echo
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                ECHO => tonic::server::Grpc::new(ProstCodec::default()).unary(EchoMethod, request).await,
                TELL => {
                    tonic::server::Grpc::new(ProstCodec::default()).client_streaming(TellMethod(service), request).await
                }
                TOLD => tonic::server::Grpc::new(ProstCodec::default()).unary(ToldMethod(service), request).await,
                _ => Status::unimplemented("there are Echo, Tell and Told").into_http(),
            })
        })
    }
}

struct EchoMethod;

impl UnaryService<Payload> for EchoMethod {
    type Response = Payload;
    type Future = BoxFuture<Response<Payload>, Status>;

    fn call(&mut self, request: Request<Payload>) -> Self::Future {
        Box::pin(async { Ok(Response::new(request.into_inner())) })
    }
}

struct TellMethod(Echo);

impl ClientStreamingService<Payload> for TellMethod {
    type Response = Told;
    type Future = BoxFuture<Response<Told>, Status>;

    fn call(&mut self, request: Request<Streaming<Payload>>) -> Self::Future {
        let told = Arc::clone(&self.0.0);
        Box::pin(async move {
            let mut payloads = request.into_inner();
            while let Some(payload) = payloads.next().await {
                let number = number(&payload?.bytes);
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.calls += 1;
                told.sum = told.sum.wrapping_add(number);
            }
            let told = *told.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(Response::new(told))
        })
    }
}

struct ToldMethod(Echo);

impl UnaryService<Told> for ToldMethod {
    type Response = Told;
    type Future = BoxFuture<Response<Told>, Status>;

    fn call(&mut self, _: Request<Told>) -> Self::Future {
        let told = *self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(async move { Ok(Response::new(told)) })
    }
}

/// The client, which for each call does what the generated ones do.
#[derive(Clone)]
struct Stub {
    channel: Channel,
    tell: mpsc::Sender<Payload>,
}

impl Connection for Stub {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        let mut stub = tonic::client::Grpc::new(self.channel.clone());
        stub.ready().await?;
        let request = Request::new(Payload { bytes: payload });
        let codec = ProstCodec::<Payload, Payload>::default();
        Ok(stub.unary(request, PathAndQuery::from_static(ECHO), codec).await?.into_inner().bytes)
    }

    async fn tell(&self, number: u64) -> Result<()> {
        self.tell.send(Payload { bytes: stamp(number) }).await.ok().context("the stream has ended")
    }

    async fn told(&self) -> Result<(u64, u64)> {
        let mut stub = tonic::client::Grpc::new(self.channel.clone());
        stub.ready().await?;
        let codec = ProstCodec::<Told, Told>::default();
        let told =
            stub.unary(Request::new(Told::default()), PathAndQuery::from_static(TOLD), codec).await?.into_inner();
        Ok((told.calls, told.sum))
    }

    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(depth, |numbers| tokio::spawn(call(self.clone(), numbers, tally.clone())))
    }
}
