use hookyard_core::model::{
    Concurrency, ContentEncoding, CustomHeader, DeliveryMethod, DisabledKind, DisabledReason,
    EndpointOptions, NativeAuth, PayloadFormat, RateLimit, RateUnit, RetryAction, RetryRule,
    Signing, SigningKey,
};

use super::applications::{application, granted};
use super::oauth::tokens;
use super::*;
use crate::{Actor, StoreError};

fn new_event_type(name: &str, category: &str, expansions: Option<&[&str]>) -> NewEventType {
    let expansions = expansions.map(|paths| paths.iter().map(|&path| path.to_owned()).collect());
    NewEventType {
        name: name.to_owned(),
        description: "It happened".to_owned(),
        supports_reflow: true,
        category: category.to_owned(),
        expansions,
    }
}

pub(crate) async fn event_types_are_added_for_good(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let add = async |name, category, expansions| {
        store.add_event_type(WS, new_event_type(name, category, expansions)).await
    };
    let first = add("order_pack", "order", None).await.unwrap();
    assert_eq!((first.id, first.supports_reflow, first.deprecated), (EventTypeId(46), true, false));
    let second = add("parcel_lost", "parcel", Some(&["route", "route.stops"])).await.unwrap();
    assert_eq!(second.id, EventTypeId(47));
    let third = add("parcel_found", "parcel", Some(&["route", "route.stops"])).await.unwrap();
    for (name, category, expansions) in [
        ("order_create", "order", None),
        ("parcel_lost", "other", None),
        ("parcel_weighed", "parcel", Some(&["weight"] as &[_])),
    ] {
        let refused = add(name, category, expansions).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{name}");
    }
    let nowhere = store.add_event_type(WorkspaceId(9), new_event_type("a", "b", None)).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(_))));

    let now = store.catalogue(WS).await.unwrap();
    let store = fixture.open().await;
    assert_eq!(store.catalogue(WS).await.unwrap(), now);
    assert_eq!(
        now.by_name("order_pack").map(|(c, kind)| (&*c.name, kind)),
        Some(("order", &first))
    );
    let parcel = now.categories.last().unwrap();
    assert_eq!((&*parcel.name, parcel.expansions.len()), ("parcel", 2));
    assert_eq!(parcel.event_types, [third, second], "names ascending");
    assert_eq!(*store.catalogue(OTHER_WS).await.unwrap(), *catalogue::initial());
}

/// Options with each kind of secret.
fn options() -> EndpointOptions {
    let key = |text, expires_at| SigningKey { secret: Secret::new(text), expires_at };
    EndpointOptions {
        signing: Signing {
            prefix: "svix-".to_owned(),
            keys: vec![key("whsec_new", None), key("whsec_old", Some(at(9)))],
        },
        headers: vec![CustomHeader {
            name: "x-key".to_owned(),
            value: Some(Secret::new("s3cret")),
        }],
        encoding: ContentEncoding::Gzip,
        auth: Some(NativeAuth::Bearer { token: Some(Secret::new("token")) }),
        danger_accept_invalid_certs: true,
        retry: vec![RetryRule {
            status: "500-599".parse().unwrap(),
            action: RetryAction::Drop,
            after: Some(3),
        }],
        rate_limit: Some(RateLimit { unit: RateUnit::Events, count: 5, seconds: 1, burst: None }),
        concurrency: Concurrency::new(4, Some("customer.id")).unwrap(),
        format: PayloadFormat::CloudEventsBinary,
        method: DeliveryMethod::Put,
        timeout_seconds: Some(7),
    }
}

pub(crate) async fn endpoints_live_and_survive(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let mut settings = EndpointSettings::to_url("https://x.test/h");
    settings.basic_username = Some("user".to_owned());
    settings.basic_password = Some(Secret::new("pass"));
    settings.iam_secret_key = Some(Secret::new("iam"));
    settings.options = options();
    let subscriptions = vec![subscribed(ORDER_CREATE)];
    let made = store.create_endpoint(WS, settings, subscriptions, at(0)).await.unwrap();
    assert_eq!(made.revision, 1);

    let store = fixture.open().await;
    assert_eq!(store.endpoint(WS, made.id).await.unwrap().unwrap(), made);
    assert_eq!(store.endpoints(WS).await.unwrap(), [Arc::clone(&made)]);
    let removed = store.delete_endpoint(WS, made.id, None).await.unwrap();
    assert_eq!(removed, Some(Arc::clone(&made)));
    assert_eq!(store.delete_endpoint(WS, made.id, None).await.unwrap(), None);

    let store = fixture.open().await;
    assert!(store.endpoint(WS, made.id).await.unwrap().is_none());
    assert_ne!(endpoint(&store).await.id, made.id, "numbers are never used again");
}

pub(crate) async fn stale_revisions_are_refused(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let before = endpoint(&store).await;
    let settings = EndpointSettings::to_url("https://y.test/");
    let update = async |revision| {
        let subscriptions = before.subscriptions.clone();
        store.update_endpoint(WS, before.id, revision, settings.clone(), subscriptions).await
    };
    let after = update(1).await.unwrap();
    assert_eq!((after.revision, after.settings.url.as_str()), (2, "https://y.test/"));
    assert!(matches!(update(1).await, Err(StoreError::Conflict(_))));
    let stale = store.delete_endpoint(WS, before.id, Some(1)).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))));
    let store = fixture.open().await;
    assert_eq!(store.endpoint(WS, before.id).await.unwrap().unwrap(), after);
    assert_eq!(store.delete_endpoint(WS, before.id, Some(2)).await.unwrap(), Some(after));
    assert_eq!(store.delete_endpoint(WS, before.id, Some(2)).await.unwrap(), None);
}

pub(crate) async fn cancelled_subscriptions_stay(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let before = endpoint(&store).await;
    let kept = vec![subscribed(ITEM_UPDATE)];
    let settings = before.settings.clone();
    let after = store.update_endpoint(WS, before.id, 1, settings, kept).await.unwrap();
    assert!(after.wants(ITEM_UPDATE) && !after.wants(ORDER_CREATE));
    assert!(!after.subscription(ORDER_CREATE).unwrap().active);
}

pub(crate) async fn revisions_are_kept_without_secrets(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let before = endpoint(&store).await;
    let mut settings = before.settings.clone();
    settings.basic_password = Some(Secret::new("pass"));
    settings.options = options();
    settings.url = "https://y.test/".to_owned();
    let subscriptions = before.subscriptions.clone();
    store.update_endpoint(WS, before.id, 1, settings, subscriptions).await.unwrap();
    let first = store.endpoint_revision(WS, before.id, 1).await.unwrap().unwrap();
    assert_eq!(first, before);
    let second = store.endpoint_revision(WS, before.id, 2).await.unwrap().unwrap();
    assert_eq!(second.settings.url, "https://y.test/");
    assert_eq!(second.settings.basic_password, None);
    assert_eq!(second.settings.options.signing.prefix, "svix-");
    assert!(second.settings.options.signing.keys.is_empty());
    assert!(second.settings.clone().split().1.headers.iter().all(Option::is_none));
    assert_eq!(second.settings.clone().split().1.auth, None);
    assert!(store.endpoint_revision(WS, before.id, 3).await.unwrap().is_none());
}

pub(crate) async fn foreign_workspaces_see_nothing_of_endpoints(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let own = endpoint(&store).await;
    publish(&store, 0..2, own.id).await;
    assert!(store.endpoint(OTHER_WS, own.id).await.unwrap().is_none());
    assert!(store.endpoints(OTHER_WS).await.unwrap().is_empty());
    assert!(store.delete_endpoint(OTHER_WS, own.id, None).await.unwrap().is_none());
    assert!(store.endpoint_revision(OTHER_WS, own.id, 1).await.unwrap().is_none());
    let update = store.update_endpoint(OTHER_WS, own.id, 1, own.settings.clone(), Vec::new()).await;
    assert!(matches!(update, Err(StoreError::NotFound(_))));
    assert_eq!(store.queue_states(OTHER_WS, &[own.id]).await.unwrap()[0].pending, 0);
    assert!(store.reflow(OTHER_WS, own.id, ORDER_CREATE, None, at(1)).await.is_err());
    assert_eq!(store.endpoint(WS, own.id).await.unwrap(), Some(own));
}

pub(crate) async fn disabling_keeps_its_reason(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = endpoint(&store).await;
    let error = Some("the receiver answered 410".to_owned());
    let reason = DisabledReason { kind: DisabledKind::Gone, at: at(5), status: Some(410), error };
    let disable =
        |workspace, revision| store.disable_endpoint(workspace, made.id, revision, reason.clone());
    assert!(disable(OTHER_WS, 1).await.unwrap().is_none(), "of another workspace");
    assert!(disable(WS, 2).await.unwrap().is_none(), "it is about another revision");
    let disabled = disable(WS, 1).await.unwrap().unwrap();
    assert!(disabled.settings.disabled);
    assert_eq!((disabled.revision, disabled.disabled_reason.as_ref()), (2, Some(&reason)));
    assert!(disable(WS, 2).await.unwrap().is_none(), "it is disabled already");

    let store = fixture.open().await;
    let read = store.endpoint(WS, made.id).await.unwrap().unwrap();
    assert_eq!(read, disabled);
    let (mut settings, subscriptions) = (read.settings.clone(), read.subscriptions.clone());
    settings.name = Some("still off".to_owned());
    let update = store.update_endpoint(WS, made.id, 2, settings.clone(), subscriptions.clone());
    assert_eq!(update.await.unwrap().disabled_reason, Some(reason));
    settings.disabled = false;
    let update = store.update_endpoint(WS, made.id, 3, settings, subscriptions);
    assert_eq!(update.await.unwrap().disabled_reason, None);
    let read = fixture.open().await.endpoint(WS, made.id).await.unwrap().unwrap();
    assert_eq!(read.disabled_reason, None);
}

pub(crate) async fn an_endpoint_knows_which_application_made_it(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    granted(&store, id, 1).await;
    let token = store.credential(CredentialKind::Token, tokens(1).access).await.unwrap().unwrap();
    let actor = Actor::request(at(1), None, "request".to_owned());
    actor.identify(&token.credential);
    let made = actor.scope(endpoint(&store)).await;
    assert_eq!(made.application, Some(id));
    assert_eq!(endpoint(&store).await.application, None);
    let (settings, subscriptions) = (made.settings.clone(), made.subscriptions.clone());
    let changed = store.update_endpoint(WS, made.id, 1, settings, subscriptions).await.unwrap();
    assert_eq!(changed.application, Some(id), "whoever changes it");
    publish(&store, 1..=2, made.id).await;
    let store = fixture.open().await;
    assert_eq!(store.endpoint(WS, made.id).await.unwrap().unwrap().application, Some(id));
    let listed = store.endpoints(WS).await.unwrap();
    assert_eq!(listed.iter().filter_map(|one| one.application).collect::<Vec<_>>(), [id]);
    let lease = claim(&store, made.id).await;
    assert_eq!(queued(&store, &lease).await, ids(1..=2));
}
