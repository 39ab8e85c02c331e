//! What the chart renders without a cluster.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::helm::{self, of_kind, template};

/// Each is combined with each other.
const CHOICES: [&[&str]; 7] = [
    &[],
    &["provider.region=eu"],
    &[
        "provider.url=https://secrets.example.com",
        "provider.credentialsSecretName=account",
        "provider.extraSpec.pollInterval=10s",
    ],
    &["watchNamespaces={team,shop}", "watchSecrets=true"],
    &[
        "generate.enabled=true",
        "requireShareableLabel=true",
        "policy.exemptUsers[0]=system:serviceaccount:argocd:it's",
        "commonLabels.team=platform",
    ],
    &[
        "replicas=2",
        "metrics.serviceMonitor.enabled=true",
        "metrics.prometheusRule.enabled=true",
        "metrics.dashboard.enabled=true",
        "networkPolicy.enabled=true",
        "priorityClassName=system-cluster-critical",
    ],
    &[
        "crds.install=false",
        "ledger.createNamespace=false",
        "policy.enabled=false",
        "ledgerPolicy.enabled=false",
        "rbac.create=false",
        "rbac.aggregateToUserRoles=false",
        "serviceAccount.create=false",
        "serviceAccount.name=mine",
        "metrics.service=false",
        "allowedProviderHosts=null",
        "image.digest=sha256:0123",
        "leaderElect=false",
    ],
];

pub fn every_combination() -> Result<()> {
    for (index, one) in CHOICES.iter().enumerate() {
        for other in &CHOICES[index..] {
            let values = [*one, *other].concat();
            // These two are refused together, and that is tested below.
            if values
                .iter()
                .filter(|value| value.starts_with("provider."))
                .count()
                == 4
            {
                continue;
            }
            check(&values).with_context(|| format!("{values:?}"))?;
        }
    }
    Ok(())
}

fn check(values: &[&str]) -> Result<()> {
    let objects = template(values)?;
    let set = |value: &str| values.contains(&value);
    let count = |kind: &str| of_kind(&objects, kind).len();
    let wanted = [
        (
            "CustomResourceDefinition",
            if set("crds.install=false") { 0 } else { 3 },
        ),
        ("Namespace", usize::from(!set("ledger.createNamespace=false"))),
        (
            "ValidatingAdmissionPolicy",
            4 * usize::from(!set("policy.enabled=false")) + usize::from(!set("ledgerPolicy.enabled=false")),
        ),
        (
            "ClusterShareProvider",
            usize::from(values.iter().any(|value| value.starts_with("provider."))),
        ),
        ("PodDisruptionBudget", usize::from(set("replicas=2"))),
        (
            "ServiceMonitor",
            usize::from(set("metrics.serviceMonitor.enabled=true")),
        ),
        (
            "PrometheusRule",
            usize::from(set("metrics.prometheusRule.enabled=true")),
        ),
        ("ConfigMap", usize::from(set("metrics.dashboard.enabled=true"))),
        ("NetworkPolicy", usize::from(set("networkPolicy.enabled=true"))),
        ("ServiceAccount", usize::from(!set("serviceAccount.create=false"))),
    ];
    for (kind, wanted) in wanted {
        ensure!(count(kind) == wanted, "{} x {kind}, not {wanted}", count(kind));
    }
    ensure!(
        count("ValidatingAdmissionPolicy") == count("ValidatingAdmissionPolicyBinding"),
        "bindings"
    );
    for kind in ["CustomResourceDefinition", "Namespace"] {
        for object in of_kind(&objects, kind) {
            let policy = &object["metadata"]["annotations"]["helm.sh/resource-policy"];
            ensure!(policy == "keep", "{kind} would go on uninstall");
        }
    }
    if set("commonLabels.team=platform") {
        for object in &objects {
            ensure!(
                object["metadata"]["labels"]["team"] == "platform",
                "{:#}",
                object["metadata"]
            );
        }
    }
    let deployment = of_kind(&objects, "Deployment").pop().context("a Deployment")?;
    let pod = &deployment["spec"]["template"]["spec"];
    ensure!(pod["securityContext"]["runAsNonRoot"] == true, "root");
    ensure!(
        pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault",
        "seccomp"
    );
    let restricted = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
    });
    let container = &pod["containers"][0];
    ensure!(container["securityContext"] == restricted, "{container:#}");
    for (probe, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        ensure!(container[probe]["httpGet"]["path"] == path, "{probe}");
    }
    let hosts = if set("allowedProviderHosts=null") {
        ""
    } else {
        "*.onetimesecret.com"
    };
    let namespaces: &[&str] = if set(CHOICES[3][0]) {
        &["team", "shop"]
    } else {
        &[]
    };
    arguments(container["args"].as_array().context("args")?, hosts, namespaces)
}

/// The operator itself must take them.
fn arguments(args: &[serde_json::Value], hosts: &str, namespaces: &[&str]) -> Result<()> {
    use clap::Parser as _;
    let args = args.iter().filter_map(|arg| arg.as_str());
    let cli = onetimeshare::config::Cli::try_parse_from(["onetimeshare"].into_iter().chain(args))?;
    match cli.command {
        onetimeshare::config::Command::Controller(args) => {
            ensure!(
                args.namespace == helm::SYSTEM && args.ledger_namespace == helm::LEDGER,
                "{args:?}"
            );
            ensure!(args.watch_namespaces == namespaces, "{:?}", args.watch_namespaces);
            ensure!(
                args.allowed_provider_hosts == [hosts],
                "{:?}",
                args.allowed_provider_hosts
            );
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

pub fn proxies() -> Result<()> {
    const CLUSTER: &str = "$(KUBERNETES_SERVICE_HOST),localhost,127.0.0.1,.svc,.cluster.local";
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [u16]);
    let rows: &[Row<'_>] = &[
        (&[], &[], &[53, 53, 443, 6443]),
        (
            &["httpsProxy=http://proxy:3128/", "httpProxy=proxy:3129"],
            &[
                ("HTTP_PROXY", "proxy:3129"),
                ("HTTPS_PROXY", "http://proxy:3128/"),
                ("NO_PROXY", CLUSTER),
            ],
            &[53, 53, 443, 6443, 3129, 3128],
        ),
        (
            &["httpsProxy=http://proxy", r"noProxy=a.example\,10.0.0.0/8"],
            &[
                ("HTTPS_PROXY", "http://proxy"),
                ("NO_PROXY", &format!("a.example,10.0.0.0/8,{CLUSTER}")),
            ],
            &[53, 53, 443, 6443, 80],
        ),
        (
            &["httpsProxy=https://proxy"],
            &[("HTTPS_PROXY", "https://proxy"), ("NO_PROXY", CLUSTER)],
            &[53, 53, 443, 6443],
        ),
        // The proxies come from extraEnv then, because their URL has a password.
        (
            &["noProxy=a.example"],
            &[("NO_PROXY", &format!("a.example,{CLUSTER}"))],
            &[53, 53, 443, 6443],
        ),
    ];
    for (values, wanted, ports) in rows {
        proxied(values, wanted, ports)?;
    }
    let objects = template(&["allowProxyForNamespacedProviders=true"])?;
    let deployment = of_kind(&objects, "Deployment").pop().context("a Deployment")?;
    let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    ensure!(
        args.contains("\"--allow-proxy-for-namespaced-providers\""),
        "{args}"
    );
    Ok(())
}

/// Values for proxies, the variables that they make, and the ports of egress.
fn proxied(values: &[&str], wanted: &[(&str, &str)], ports: &[u16]) -> Result<()> {
    let values = [values, &["networkPolicy.enabled=true"]].concat();
    let objects = template(&values)?;
    let deployment = of_kind(&objects, "Deployment").pop().context("a Deployment")?;
    let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    let found: Vec<_> = env.as_array().context("env")?.iter().skip(1).cloned().collect();
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    ensure!(found == wanted, "{values:?}: {found:?}");
    let policy = of_kind(&objects, "NetworkPolicy")
        .pop()
        .context("a NetworkPolicy")?;
    let rules = policy["spec"]["egress"][0]["ports"].as_array().context("ports")?;
    let found: Vec<_> = rules.iter().map(|rule| rule["port"].clone()).collect();
    ensure!(json!(found) == json!(ports), "{values:?}: {found:?}");
    Ok(())
}

pub fn mistakes() -> Result<()> {
    for (values, word) in [
        ("provider.regoin=eu", "regoin"),
        ("watchNamespace=team", "watchNamespace"),
        ("watchNamespaces=team", "watchNamespaces"),
        ("watchNamespaces={team,team}", "watchNamespaces"),
        ("watchNamespaces={*}", "watchNamespaces"),
        (
            "watchNamespaces={team,onetimeshare-ledger}",
            "ledger.namespace must not be one of watchNamespaces",
        ),
        ("policy.exemptUser=somebody", "exemptUser"),
        ("provider.region=mars", "region"),
        ("replicas=many", "replicas"),
        ("ledger.retention=1 month", "retention"),
        (
            "provider.region=eu,provider.url=https://secrets.example.com",
            "provider.url",
        ),
        (
            "provider.credentialsSecretName=account",
            "provider.credentialsSecretName",
        ),
        ("ledger.namespace=onetimeshare-system", "ledger.namespace"),
        ("httpsProxy=socks5://proxy", "httpsProxy"),
        ("httpProxy=http://proxy/path", "httpProxy"),
        ("serviceAccount.create=false", "serviceAccount.name"),
        ("sharding.shards={ledger}", "sharding/shards"),
        ("sharding.shards={Blue}", "sharding/shards"),
        ("sharding.shards={blue}", "sharding.watchLabelSelector"),
        (
            "sharding.watchLabelSelector=onetimeshare.dev/shard=blue",
            "\"blue\": add it to sharding.shards",
        ),
        (
            "sharding.watchLabelSelector=!onetimeshare.dev/shard,leaderElect=false",
            "needs leaderElect",
        ),
    ] {
        match template(&[values]) {
            Ok(_) => bail!("{values} was taken"),
            Err(error) => {
                let said = format!("{error:#}");
                let said = said.split_once(values).map_or(said.as_str(), |(_, said)| said);
                ensure!(said.contains(word), "{values}: {word} is not named in: {said}");
            }
        }
    }
    Ok(())
}

/// The chart carries copies, because it must be whole without the repository.
pub fn definitions() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(helm::CHART)
        .join("files/crds");
    let wanted = onetimeshare::api::manifests()?;
    ensure!(
        std::fs::read_dir(&folder)?.count() == wanted.len(),
        "a file too many or too few: run `make crds`"
    );
    for (name, yaml) in wanted {
        let found = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        ensure!(
            found == yaml,
            "{name} in the chart is stale or missing: run `make crds`"
        );
    }
    Ok(())
}
