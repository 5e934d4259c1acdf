use super::*;

#[tokio::test]
async fn every_alias_delivers() {
    let api = Api::start().await;
    let (webhook, target) = combining(&api).await;
    let key = target.rsplit('/').next().unwrap();
    let mut sent = 0;
    for prefix in ["", "/api/v2", "/api/v1"] {
        for path in [
            "/webhooks/data/",
            "/webhook/data/",
            "/webhooks/data/webhook/data/",
            "/webhooks/data//webhook/data/",
            "/webhook/data//",
        ] {
            for slash in ["", "/"] {
                let target = format!("{prefix}{path}{key}{slash}");
                let answer = api.send("POST", &target, &[], "1").await;
                assert_eq!(answer.status, 201, "{target}");
                sent += 1;
            }
        }
    }
    assert_eq!(api.cells(&webhook).await.len(), sent);
}

#[tokio::test]
async fn unknown_keys_are_not_found() {
    let api = Api::start().await;
    let (_, target) = combining(&api).await;
    let key = target.rsplit('/').next().unwrap();
    let other_case = key
        .chars()
        .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
    let other_case = other_case.collect::<String>();
    let headers = [("origin", "https://a.example"), ("access-control-request-method", "POST")];
    for key in ["A".repeat(24), other_case, key[..23].to_owned(), format!("{key}%20")] {
        for method in ["GET", "POST"] {
            let refused = api.send(method, &format!("/webhooks/data/{key}"), &[], "1").await;
            assert_refused(&refused, 404, "Not Found");
        }
        for method in ["HEAD", "OPTIONS"] {
            let target = format!("/webhooks/data/{key}");
            assert_eq!(api.send(method, &target, &headers, "").await.status, 404);
        }
    }
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let api = Api::start().await;
    let (_, target) = combining(&api).await;
    for method in ["DELETE", "PUT", "PATCH", "TRACE", "QUERY"] {
        for target in [target.as_str(), "/api/v2/webhooks/data/unknown"] {
            let refused = api.send(method, target, &[], "1").await;
            assert_refused(&refused, 405, "Method Not Allowed");
            assert_eq!(refused.headers["allow"], "GET, POST, OPTIONS, HEAD");
        }
    }
}

#[tokio::test]
async fn head_stores_nothing() {
    let api = Api::start().await;
    let (webhook, target) = combining(&api).await;
    let answer = api.send("HEAD", &format!("{target}?a=1"), &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    assert_eq!(api.cells(&webhook).await, [] as [String; 0]);
}
