//! A proxy in front of kube-apiserver that makes chosen requests go wrong, and watches late, cut, swallowed or out of date.
//!
//! It asks upstream with the administrator's client, so its own clients need no credentials: only for tests, on
//! loopback. It knows nothing of the operator.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::onetime::tls;

/// A request as a rule sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, raw.
    pub query: String,
}

impl Seen {
    /// Whether it asks for changes as they come.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        self.query
            .split('&')
            .any(|pair| pair == "watch=true" || pair == "watch=1")
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The API server is not asked; the answer has this code and reason.
    Refuse(u16, &'static str),
    /// The API server does it; the answer has this code and reason nevertheless.
    DoneBut(u16, &'static str),
    /// The connection closes, and the API server was not asked.
    Close,
    /// The connection closes after the API server did it.
    DoneButClose,
    /// The request waits so long before it is passed on. The answer too, event by event, when it is a watch.
    Late(Duration),
    /// A watch begins with the event that says that its version is too old.
    TooOld,
    /// A watch begins, brings nothing and never ends.
    Swallow,
}

/// Which requests, and what goes wrong with them.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Whether a request is one of them.
    pub matches: fn(&Seen) -> bool,
    /// How many of them are let through before.
    pub skip: u32,
    /// How many are struck.
    pub times: u32,
    /// What goes wrong.
    pub fault: Fault,
}

/// How often one rule struck.
#[derive(Clone, Debug, Default)]
pub struct Hits(Arc<AtomicU32>);

impl Hits {
    /// The number until now.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
struct Plan {
    rules: Vec<(Rule, Hits)>,
    hits: u32,
    /// What was asked for since it is recorded.
    record: Option<Vec<Seen>>,
}

struct Shared {
    upstream: Client,
    plan: Mutex<Plan>,
    cuts: watch::Sender<()>,
    swallows: watch::Sender<()>,
}

/// A running proxy. Dropping it closes its port.
pub struct ApiProxy {
    shared: Arc<Shared>,
    kubeconfig: PathBuf,
    accepting: JoinHandle<()>,
    _folder: TempDir,
}

type Answer = Response<UnsyncBoxBody<Bytes, kube::Error>>;

/// The connection ends without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut on purpose")
    }
}

impl std::error::Error for Cut {}

impl ApiProxy {
    /// Starts one in front of the API server that a client talks to.
    ///
    /// # Errors
    /// When no port can be had, or the kubeconfig file cannot be written.
    pub async fn start(upstream: Client) -> Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .context("binding the proxy")?;
        let tls = tls::make().context("making a certificate")?;
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let kubeconfig = folder.path().join("kubeconfig");
        write_kubeconfig(&kubeconfig, listener.local_addr()?, &tls.ca_pem)?;
        let shared = Arc::new(Shared {
            upstream,
            plan: Mutex::default(),
            cuts: watch::Sender::new(()),
            swallows: watch::Sender::new(()),
        });
        let accepting = tokio::spawn(accept(listener, tls.acceptor, Arc::clone(&shared)));
        Ok(Self {
            shared,
            kubeconfig,
            accepting,
            _folder: folder,
        })
    }

    /// The kubeconfig file for a client of the proxy.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Adds a rule. The first that matches strikes.
    pub fn push(&self, rule: Rule) -> Hits {
        let hits = Hits::default();
        self.shared.lock().rules.push((rule, hits.clone()));
        hits
    }

    /// Takes every rule away.
    pub fn clear(&self) {
        self.shared.lock().rules.clear();
    }

    /// From now on every request is recorded.
    pub fn record(&self) {
        self.shared.lock().record = Some(Vec::new());
    }

    /// What was recorded, in the order in which it came.
    #[must_use]
    pub fn recorded(&self) -> Vec<Seen> {
        self.shared.lock().record.clone().unwrap_or_default()
    }

    /// How often any rule struck.
    #[must_use]
    pub fn hits(&self) -> u32 {
        self.shared.lock().hits
    }

    /// Ends every watch that is open.
    pub fn cut_watches(&self) {
        self.shared.cuts.send_replace(());
    }

    /// Every watch that is open stays open, brings nothing any more and never ends, as when a proxy in between forgot the
    /// connection. Watches that begin later are as before.
    pub fn swallow_watches(&self) {
        self.shared.swallows.send_replace(());
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn choose(&self, seen: &Seen) -> Option<Fault> {
        let mut plan = self.lock();
        if let Some(record) = &mut plan.record {
            record.push(seen.clone());
        }
        let (rule, hits) = plan
            .rules
            .iter_mut()
            .find(|(rule, _)| rule.times > 0 && (rule.matches)(seen))?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times -= 1;
        let fault = rule.fault;
        hits.0.fetch_add(1, Ordering::SeqCst);
        plan.hits += 1;
        Some(fault)
    }
}

fn write_kubeconfig(path: &Path, address: SocketAddr, ca_pem: &str) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "proxy", "cluster": {
            "server": format!("https://{address}"),
            "certificate-authority-data": STANDARD.encode(ca_pem),
        }}],
        "users": [{"name": "anybody", "user": {}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "anybody"}}],
        "current-context": "proxy",
    });
    std::fs::write(path, serde_yaml_ng::to_string(&config)?).context("writing a kubeconfig")
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve_line(stream, tls.clone(), Arc::clone(&shared)));
    }
}

async fn serve_line(stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let service = service_fn(move |request| serve(Arc::clone(&shared), request));
    // An error here is a fault that was asked for, or a client that went away.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Cut> {
    let seen = Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
    };
    let fault = shared.choose(&seen);
    match fault {
        Some(Fault::Refuse(code, reason)) => return Ok(status(code, reason)),
        Some(Fault::Close) => return Err(Cut),
        Some(Fault::TooOld) => return Ok(too_old()),
        Some(Fault::Late(time)) => tokio::time::sleep(time).await,
        Some(Fault::DoneBut(..) | Fault::DoneButClose | Fault::Swallow) | None => {}
    }
    let answer = forward(&shared, request).await;
    match fault {
        Some(Fault::DoneBut(code, reason)) => {
            drain(answer?).await;
            Ok(status(code, reason))
        }
        Some(Fault::DoneButClose) => {
            drain(answer?).await;
            Err(Cut)
        }
        Some(Fault::Swallow) => Ok(answer?.map(|_| StreamBody::new(stream::pending()).boxed_unsync())),
        Some(Fault::Late(time)) if seen.is_watch() => Ok(streamed(&shared, answer?, time)),
        _ if seen.is_watch() => Ok(streamed(&shared, answer?, Duration::ZERO)),
        _ => Ok(answer?.map(|body| body.boxed_unsync())),
    }
}

/// The work is done when the whole answer has come.
async fn drain(answer: Response<Body>) {
    let _ = answer.into_body().collect().await;
}

async fn forward(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut upstream = Request::builder().method(parts.method).uri(path);
    for (name, value) in &parts.headers {
        // What belongs to a connection is the client's own business.
        if ![
            "host",
            "authorization",
            "connection",
            "content-length",
            "accept-encoding",
        ]
        .contains(&name.as_str())
        {
            upstream = upstream.header(name, value);
        }
    }
    let upstream = upstream.body(Body::from(body.to_vec())).map_err(|_| Cut)?;
    let answer = shared.upstream.send(upstream).await.map_err(|_| Cut)?;
    let (mut parts, body) = answer.into_parts();
    for name in ["connection", "transfer-encoding"] {
        parts.headers.remove(name);
    }
    Ok(Response::from_parts(parts, body))
}

/// A watch that can be cut or swallowed, and whose events may come late.
fn streamed(shared: &Shared, answer: Response<Body>, late: Duration) -> Answer {
    let mut cuts = shared.cuts.subscribe();
    cuts.mark_unchanged();
    let cut = async move {
        let _ = cuts.changed().await;
    };
    let mut swallows = shared.swallows.subscribe();
    swallows.mark_unchanged();
    let swallowed = swallows.clone();
    let swallow = async move {
        let _ = swallows.changed().await;
    };
    // One that was swallowed does not end, also when the API server ends it.
    let rest = stream::once(async move {
        if swallowed.has_changed().unwrap_or(false) {
            std::future::pending::<()>().await;
        }
    });
    answer.map(|body| {
        let frames = BodyStream::new(body)
            .then(move |frame| async move {
                tokio::time::sleep(late).await;
                frame
            })
            .take_until(Box::pin(swallow))
            .chain(rest.filter_map(async |()| None))
            .take_until(Box::pin(cut));
        StreamBody::new(frames.map_err(|error| error)).boxed_unsync()
    })
}

fn text(code: u16, body: String) -> Answer {
    let body = Full::new(Bytes::from(body)).map_err(|never: Infallible| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
        .headers_mut()
        .insert("content-type", http::HeaderValue::from_static("application/json"));
    answer
}

fn status(code: u16, reason: &str) -> Answer {
    text(code, failure(code, reason).to_string())
}

fn failure(code: u16, reason: &str) -> serde_json::Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "a fault of the test's proxy", "reason": reason, "code": code,
    })
}

fn too_old() -> Answer {
    let event = json!({"type": "ERROR", "object": failure(410, "Expired")});
    text(200, format!("{event}\n"))
}
