// SPDX-License-Identifier: Apache-2.0
//! The C interface. Its contract is src/store/detail/cortex_s3.h; this file only turns raw pointers into Rust values
//! and panics into `false`.

mod answers;

use answers::{Item, Listing};
use jiff::Timestamp;
use rusty_s3::signing::sign;
use rusty_s3::{Bucket, Credentials, Map, Method, UrlStyle};
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    data: *const c_char,
    size: usize,
}

#[repr(C)]
pub struct Pair {
    name: Bytes,
    value: Bytes,
}

#[repr(C)]
pub struct CPlace {
    endpoint: Bytes,
    path_style: bool,
    name: Bytes,
    region: Bytes,
    key: Bytes,
    secret: Bytes,
    token: Bytes,
}

#[repr(C)]
pub struct CRequest {
    method: i32,
    object: Bytes,
    query: *const Pair,
    query_count: usize,
    headers: *const Pair,
    headers_count: usize,
    unix_seconds: i64,
    seconds: u64,
}

#[repr(C)]
pub struct CText {
    owner: *mut c_void,
    put: unsafe extern "C" fn(*mut c_void, Bytes),
}

#[repr(C)]
pub struct CItem {
    key: Bytes,
    upload: Bytes,
    unix_seconds: i64,
    size: u64,
}

#[repr(C)]
pub struct CReader {
    owner: *mut c_void,
    item: unsafe extern "C" fn(*mut c_void, &CItem),
    more: unsafe extern "C" fn(*mut c_void, Bytes, Bytes),
}

pub struct SignedBucket {
    bucket: Bucket,
    credentials: Credentials,
}

impl Bytes {
    fn of(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), size: text.len() }
    }

    /// SAFETY: the caller of the C function keeps the bytes alive during the call.
    unsafe fn text<'a>(self) -> Option<&'a str> {
        if self.size == 0 {
            return Some("");
        }
        std::str::from_utf8(std::slice::from_raw_parts(self.data.cast(), self.size)).ok()
    }
}

/// SAFETY: as `Bytes::text`.
unsafe fn slice<'a, T>(data: *const T, count: usize) -> &'a [T] {
    match count {
        0 => &[],
        count => std::slice::from_raw_parts(data, count),
    }
}

unsafe fn map_of<'a>(pairs: &'a [Pair]) -> Option<Map<'a>> {
    let mut map = Map::new();
    for pair in pairs {
        map.insert(pair.name.text()?, pair.value.text()?);
    }
    Some(map)
}

impl CText {
    unsafe fn put(&self, text: &str) {
        (self.put)(self.owner, Bytes::of(text));
    }
}

fn guarded<T>(work: impl FnOnce() -> Option<T>) -> Option<T> {
    static ONCE: Once = Once::new();
    // No panic texts on standard error: the caller says what failed.
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(None)
}

#[no_mangle]
pub unsafe extern "C" fn cortex_s3_bucket_new(place: &CPlace) -> *mut SignedBucket {
    let made = guarded(|| {
        let style = if place.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let endpoint = place.endpoint.text()?.parse().ok()?;
        let (name, region) = (place.name.text()?.to_owned(), place.region.text()?.to_owned());
        let bucket = Bucket::new(endpoint, style, name, region).ok()?;
        let (key, secret, token) =
            (place.key.text()?, place.secret.text()?, place.token.text()?);
        let credentials = match token {
            "" => Credentials::new(key, secret),
            token => Credentials::new_with_token(key, secret, token),
        };
        Some(SignedBucket { bucket, credentials })
    });
    made.map_or(std::ptr::null_mut(), |bucket| Box::into_raw(Box::new(bucket)))
}

#[no_mangle]
pub unsafe extern "C" fn cortex_s3_bucket_free(bucket: *mut SignedBucket) {
    if !bucket.is_null() {
        drop(Box::from_raw(bucket));
    }
}

#[no_mangle]
pub unsafe extern "C" fn cortex_s3_sign(
    bucket: &SignedBucket,
    request: &CRequest,
    url: &CText,
) -> bool {
    guarded(|| {
        let SignedBucket { bucket, credentials } = bucket;
        let target = match request.object.text()? {
            "" => bucket.base_url().clone(),
            key => bucket.object_url(key),
        };
        let query = map_of(slice(request.query, request.query_count))?;
        let headers = map_of(slice(request.headers, request.headers_count))?;
        let signed = sign(
            &Timestamp::from_second(request.unix_seconds).ok()?,
            method_of(request.method)?,
            target,
            credentials.key(),
            credentials.secret(),
            credentials.token(),
            bucket.region(),
            request.seconds,
            query.iter(),
            headers.iter(),
        );
        url.put(signed.as_str());
        Some(())
    })
    .is_some()
}

fn method_of(number: i32) -> Option<Method> {
    [Method::Get, Method::Head, Method::Put, Method::Post, Method::Delete]
        .get(usize::try_from(number).ok()?)
        .copied()
}

#[no_mangle]
pub unsafe extern "C" fn cortex_s3_completion(
    etags: *const Bytes,
    count: usize,
    body: &CText,
) -> bool {
    guarded(|| {
        let etags: Option<Vec<&str>> = slice(etags, count).iter().map(|etag| etag.text()).collect();
        body.put(&answers::completion(&etags?)?);
        Some(())
    })
    .is_some()
}

#[no_mangle]
pub unsafe extern "C" fn cortex_s3_read(kind: i32, body: Bytes, reader: &CReader) -> bool {
    guarded(|| {
        let Listing { items, more } = answers::read(kind, body.text()?)?;
        for Item { key, upload, unix_seconds, size } in &items {
            let (key, upload) = (Bytes::of(key), Bytes::of(upload));
            let item = CItem { key, upload, unix_seconds: *unix_seconds, size: *size };
            (reader.item)(reader.owner, &item);
        }
        if let Some((key, upload)) = more {
            (reader.more)(reader.owner, Bytes::of(&key), Bytes::of(&upload));
        }
        Some(())
    })
    .is_some()
}
