//! Every object survives the round trip through the Kubernetes types: an unknown or misplaced field would be lost.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{documents, facts};

fn round_trip<T: DeserializeOwned + Serialize>(value: &Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

#[test]
fn every_object_has_only_fields_that_kubernetes_knows() {
    let mut seen = std::collections::BTreeSet::new();
    for case in facts::cases() {
        for (path, value) in documents(&case.plan()) {
            let kind = value["kind"].as_str().unwrap_or_default().to_owned();
            let typed = match (value["apiVersion"].as_str().unwrap_or_default(), kind.as_str()) {
                ("v1", "Namespace") => round_trip::<Namespace>(&value),
                ("v1", "ResourceQuota") => round_trip::<ResourceQuota>(&value),
                ("v1", "LimitRange") => round_trip::<LimitRange>(&value),
                ("v1", "ServiceAccount") => round_trip::<ServiceAccount>(&value),
                ("v1", "Service") => round_trip::<Service>(&value),
                ("apps/v1", "Deployment") => round_trip::<Deployment>(&value),
                ("apps/v1", "StatefulSet") => round_trip::<StatefulSet>(&value),
                ("autoscaling/v2", "HorizontalPodAutoscaler") => round_trip::<HorizontalPodAutoscaler>(&value),
                ("policy/v1", "PodDisruptionBudget") => round_trip::<PodDisruptionBudget>(&value),
                ("networking.k8s.io/v1", "NetworkPolicy") => round_trip::<NetworkPolicy>(&value),
                // Not Kubernetes' own: kustomize builds them, or their operators' types know them.
                ("kustomize.config.k8s.io/v1beta1", "Kustomization")
                | ("kustomize.config.k8s.io/v1alpha1", "Component")
                | ("gateway.networking.k8s.io/v1", "HTTPRoute" | "GRPCRoute" | "BackendTLSPolicy")
                | ("monitoring.coreos.com/v1", "PodMonitor") => Ok(value.clone()),
                (version, kind) => panic!("{}: {path}: unexpected {version} {kind}", case.name),
            };
            assert_eq!(typed.as_ref(), Ok(&value), "{}: {path}", case.name);
            seen.insert(kind);
        }
    }
    assert_eq!(seen.len(), 16, "{seen:?}");
}
