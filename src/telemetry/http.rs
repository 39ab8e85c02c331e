//! The HTTP server of /livez, /readyz and /metrics. Serves nothing else, and changes nothing.

use super::Metrics;
use super::readiness::Readiness;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use tokio::net::TcpListener;

/// One of those that Prometheus asks for since 2.5.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves /livez, /readyz and /metrics until `stop` resolves.
///
/// # Errors
/// When the server fails.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let ready = move || async move {
        match readiness.verdict() {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    };
    let app = axum::Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(metrics);
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

async fn metrics_text(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, OPENMETRICS)];
    match metrics.encode() {
        Ok(text) => (StatusCode::OK, content_type, text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, content_type, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::kubernetes::pulse::Pulse;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn metrics_come_in_a_form_that_prometheus_takes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let metrics = Arc::new(Metrics::default());
        tokio::spawn(serve(
            listener,
            metrics,
            Readiness::new(Pulse::new(Clock::boot())),
            std::future::pending(),
        ));
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            answer.contains(&format!("content-type: {OPENMETRICS}\r\n")),
            "{answer}"
        );
        assert!(answer.ends_with("# EOF\n"), "{answer}");
    }
}
