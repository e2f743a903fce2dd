// SPDX-License-Identifier: Apache-2.0
//! The XML of S3's answers as lists of items.

use instant_xml::FromXml;
use jiff::Timestamp;
use rusty_s3::actions::{
    CompleteMultipartUpload, CompleteMultipartUploadResponse, CreateMultipartUpload, ListObjectsV2,
};
use rusty_s3::{Bucket, UrlStyle};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

#[derive(Default)]
pub struct Item {
    pub key: String,
    pub upload: String,
    pub unix_seconds: i64,
    pub size: u64,
}

#[derive(Default)]
pub struct Listing {
    pub items: Vec<Item>,
    /// Where the next page begins, if there is one.
    pub more: Option<(String, String)>,
}

#[derive(FromXml)]
#[xml(rename = "ListMultipartUploadsResult", ns(NAMESPACE))]
struct Uploads {
    uploads: Vec<Upload>,
    #[xml(rename = "IsTruncated")]
    is_truncated: Option<bool>,
    #[xml(rename = "NextKeyMarker")]
    next_key_marker: Option<String>,
    #[xml(rename = "NextUploadIdMarker")]
    next_upload_id_marker: Option<String>,
}

#[derive(FromXml)]
#[xml(rename = "Upload", ns(NAMESPACE))]
struct Upload {
    #[xml(rename = "Key")]
    key: String,
    #[xml(rename = "UploadId")]
    upload_id: String,
    #[xml(rename = "Initiated")]
    initiated: Option<String>,
}

/// Errors have no namespace.
#[derive(FromXml)]
#[xml(rename = "Error")]
struct Error {
    #[xml(rename = "Code")]
    code: String,
    #[xml(rename = "Message")]
    message: Option<String>,
}

pub fn read(kind: i32, body: &str) -> Option<Listing> {
    match kind {
        0 => objects(body),
        1 => uploads(body),
        2 => created(body),
        3 => CompleteMultipartUploadResponse::parse(body).ok().map(|_| Listing::default()),
        4 => error(body),
        _ => None,
    }
}

/// Of a time that is missing or strange nobody can say that it is long ago.
fn seconds(time: Option<&str>) -> i64 {
    time.and_then(|time| time.parse::<Timestamp>().ok()).map_or(i64::MAX, Timestamp::as_second)
}

fn objects(body: &str) -> Option<Listing> {
    let parsed = ListObjectsV2::parse_response(body).ok()?;
    let items = parsed.contents.into_iter().map(|content| Item {
        unix_seconds: seconds(content.last_modified.as_deref()),
        key: content.key,
        size: content.size.unwrap_or(0),
        ..Item::default()
    });
    let more = parsed.next_continuation_token.map(|token| (token, String::new()));
    Some(Listing { items: items.collect(), more })
}

fn uploads(body: &str) -> Option<Listing> {
    let parsed: Uploads = instant_xml::from_str(body).ok()?;
    let items = parsed.uploads.into_iter().map(|upload| Item {
        unix_seconds: seconds(upload.initiated.as_deref()),
        key: upload.key,
        upload: upload.upload_id,
        ..Item::default()
    });
    let more = match parsed.is_truncated {
        Some(true) => {
            Some((parsed.next_key_marker?, parsed.next_upload_id_marker.unwrap_or_default()))
        }
        _ => None,
    };
    Some(Listing { items: items.collect(), more })
}

fn created(body: &str) -> Option<Listing> {
    let parsed = CreateMultipartUpload::parse_response(body).ok()?;
    let upload = parsed.upload_id().to_owned();
    Some(Listing { items: vec![Item { upload, ..Item::default() }], more: None })
}

fn error(body: &str) -> Option<Listing> {
    let parsed: Error = instant_xml::from_str(body).ok()?;
    let upload = parsed.message.unwrap_or_default();
    Some(Listing { items: vec![Item { key: parsed.code, upload, ..Item::default() }], more: None })
}

pub fn completion(etags: &[&str]) -> Option<String> {
    let endpoint = "http://localhost".parse().ok()?;
    let bucket = Bucket::new(endpoint, UrlStyle::Path, "b", "r").ok()?;
    let action =
        CompleteMultipartUpload::new(&bucket, None, "key", "upload", etags.iter().copied());
    Some(action.body())
}
