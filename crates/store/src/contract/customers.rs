use hookyard_core::model::{CustomerCode, CustomerPatch, CustomerSettings};

use super::*;
use crate::{CUSTOMER_ENDPOINTS_MAX, StoreError};

fn code(text: &str) -> CustomerCode {
    CustomerCode::parse(text).unwrap()
}

fn named(name: &str) -> CustomerSettings {
    let metadata = [("plan".to_owned(), "gold\u{0}é".to_owned())].into();
    CustomerSettings { name: Some(name.to_owned()), metadata }
}

async fn of_customer(store: &SharedStore, customer: &str) -> Arc<Endpoint> {
    let settings = EndpointSettings::to_url("https://x.test/h");
    let subscriptions = vec![subscribed(ORDER_CREATE)];
    let made = store.create_customer_endpoint(WS, code(customer), settings, subscriptions, at(0));
    made.await.unwrap()
}

async fn listed(store: &SharedStore, after: Option<&str>, limit: usize) -> Vec<String> {
    let found = store.customers(WS, after.map(code), limit).await.unwrap();
    found.into_iter().map(|customer| customer.code.to_string()).collect()
}

pub(crate) async fn customers_live_and_survive(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (acme, new) = store.put_customer(WS, code("acme"), named("Acme"), at(1)).await.unwrap();
    assert!(new && acme.settings == named("Acme") && acme.created_at == at(1));
    let (again, new) = store.put_customer(WS, code("acme"), named("ACME"), at(2)).await.unwrap();
    assert!(!new && again.id == acme.id && again.created_at == at(1));
    let patch = CustomerPatch { name: Some(None), ..CustomerPatch::default() };
    let patched = store.patch_customer(WS, code("acme"), patch.clone()).await.unwrap().unwrap();
    assert_eq!(patched.settings, CustomerSettings { name: None, ..named("") });
    let long = Some("x".repeat(5_000));
    let long = CustomerPatch { metadata: [("a".into(), long)].into(), ..CustomerPatch::default() };
    let refused = store.patch_customer(WS, code("acme"), long).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    assert!(store.patch_customer(WS, code("Acme"), patch).await.unwrap().is_none(), "case counts");

    for other in ["b", "a:1", "_", "B", "acme-2"] {
        store.put_customer(WS, code(other), CustomerSettings::default(), at(3)).await.unwrap();
    }
    let store = fixture.open().await;
    assert_eq!(store.customer(WS, code("acme")).await.unwrap(), Some(patched));
    assert_eq!(listed(&store, None, 9).await, ["B", "_", "a:1", "acme", "acme-2", "b"]);
    assert_eq!(listed(&store, Some("_"), 2).await, ["a:1", "acme"]);
    assert_eq!(listed(&store, Some("zz"), 2).await, [""; 0]);
    let nowhere = store.put_customer(WorkspaceId(9), code("a"), named("a"), at(4)).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(_))));
}

pub(crate) async fn the_first_endpoint_makes_its_customer(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let owners = endpoint(&store).await;
    let first = of_customer(&store, "acme").await;
    let second = of_customer(&store, "acme").await;
    let own = first.customer.clone().unwrap();
    assert_eq!((own.code.as_str(), &second.customer), ("acme", &first.customer));
    let acme = store.customer(WS, code("acme")).await.unwrap().unwrap();
    assert_eq!((acme.id, acme.settings), (own.id, CustomerSettings::default()));
    let mut settings = first.settings.clone();
    settings.name = Some("moved".to_owned());
    let changed = store.update_endpoint(WS, first.id, 1, settings, first.subscriptions.clone());
    assert_eq!(changed.await.unwrap().customer, first.customer, "it is fixed");
    publish(&store, 0..1, first.id).await;

    let store = fixture.open().await;
    let all = store.endpoints(WS).await.unwrap();
    let customers: Vec<_> = all.iter().map(|endpoint| endpoint.customer.clone()).collect();
    assert_eq!(customers, [None, Some(own.clone()), Some(own.clone())]);
    let lease = claim(&store, first.id).await;
    let head = store.head(&lease, ALL).await.unwrap();
    assert_eq!((head.endpoint.customer.as_ref(), head.entries.len()), (Some(&own), 1));
    let revision = store.endpoint_revision(WS, first.id, 1).await.unwrap().unwrap();
    assert_eq!(revision.customer.as_ref(), Some(&own));
    assert_eq!(store.endpoint(WS, owners.id).await.unwrap().unwrap().customer, None);
}

pub(crate) async fn a_customer_goes_with_its_endpoints(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (owners, other) = (endpoint(&store).await, of_customer(&store, "other").await);
    let mut own = Vec::new();
    for _ in 0..3 {
        own.push(of_customer(&store, "acme").await);
    }
    publish(&store, 0..2, own[0].id).await;
    publish(&store, 2..4, other.id).await;
    let version = store.version(WS).await.unwrap();
    assert!(store.delete_customer(OTHER_WS, code("acme")).await.unwrap().is_none());
    let removed = store.delete_customer(WS, code("acme")).await.unwrap().unwrap();
    assert_eq!((removed.customer.code, removed.endpoints), (code("acme"), own.clone()));
    assert!(store.delete_customer(WS, code("acme")).await.unwrap().is_none());
    assert!(store.version(WS).await.unwrap() > version);

    let store = fixture.open().await;
    let left: Vec<_> = store.endpoints(WS).await.unwrap().iter().map(|left| left.id).collect();
    assert_eq!(left, [owners.id, other.id]);
    assert!(store.claim(own[0].id).await.unwrap().is_none());
    assert_eq!(queued(&store, &claim(&store, other.id).await).await, ["event-2", "event-3"]);
    assert!(store.customer(WS, code("acme")).await.unwrap().is_none());
    let again = of_customer(&store, "acme").await;
    assert_ne!(again.customer, own[0].customer, "numbers are not used again");
}

pub(crate) async fn a_customers_endpoints_are_bounded(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    for _ in 0..CUSTOMER_ENDPOINTS_MAX {
        of_customer(&store, "acme").await;
    }
    let settings = EndpointSettings::to_url("https://x.test/h");
    let more = store.create_customer_endpoint(WS, code("acme"), settings, Vec::new(), at(0)).await;
    assert!(matches!(more, Err(StoreError::Conflict(_))));
    of_customer(&store, "other").await;
}

pub(crate) async fn foreign_workspaces_see_no_customers(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    store.put_customer(WS, code("acme"), named("Acme"), at(1)).await.unwrap();
    assert!(store.customer(OTHER_WS, code("acme")).await.unwrap().is_none());
    assert!(store.customers(OTHER_WS, None, 9).await.unwrap().is_empty());
    let patch = CustomerPatch { name: Some(None), ..CustomerPatch::default() };
    assert!(store.patch_customer(OTHER_WS, code("acme"), patch).await.unwrap().is_none());
    let put = store.put_customer(OTHER_WS, code("acme"), named("Other"), at(2));
    let (other, new) = put.await.unwrap();
    let acme = store.customer(WS, code("acme")).await.unwrap().unwrap();
    assert!(new && other.id != acme.id && acme.settings == named("Acme"));
}
