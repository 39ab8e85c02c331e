//! The bench as a program: `make bench`.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Box::pin(bench::main()).await
}
