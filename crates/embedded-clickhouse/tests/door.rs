//! The door as its clients see it: the `clickhouse` crate, and plain HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use assay_embedded_clickhouse::{Access, Engine, serve};
use clickhouse::{Client, Compression, Row};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use tokio::runtime::Runtime;

struct Server {
    address: String,
    runtime: Runtime,
    _directory: tempfile::TempDir,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let target = assay_real_parts::target();
        let directory = tempfile::Builder::new().prefix("clickhouse-").tempdir_in(&target).unwrap();
        let engine = Engine::open(&target.join("clickhouse/libchdb.so"), directory.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move { serve(engine, listener, Access::Anyone, std::future::pending()).await });
        Server { address, runtime, _directory: directory }
    })
}

fn client() -> Client {
    Client::default().with_url(format!("http://{}", server().address))
}

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Sale {
    id: u64,
    shop: String,
    cents: Option<i64>,
}

fn sale(id: u64) -> Sale {
    Sale { id, shop: format!("shop '{}' \\ 'n", id % 3), cents: id.is_multiple_of(2).then_some(id as i64 * 100) }
}

#[test]
fn typed_rows_go_in_and_come_out() {
    server().runtime.block_on(async {
        for (compression, table) in [(Compression::None, "plain"), (Compression::Lz4, "packed")] {
            let client = client().with_compression(compression);
            let create = format!(
                "CREATE TABLE {table} (id UInt64, shop String, cents Nullable(Int64)) ENGINE = MergeTree ORDER BY id"
            );
            client.query(&create).execute().await.unwrap();
            let mut insert = client.insert::<Sale>(table).await.unwrap();
            for id in 0..10_000 {
                insert.write(&sale(id)).await.unwrap();
            }
            insert.end().await.unwrap();
            let sql = format!("SELECT ?fields FROM {table} WHERE id < ? OR shop = ? AND id = 9999 ORDER BY id");
            let found = client.query(&sql).bind(3).bind(&sale(9_999).shop).fetch_all::<Sale>().await.unwrap();
            assert_eq!(found, [0, 1, 2, 9_999].map(sale));
            let count = client.query(&format!("SELECT count() FROM {table} WHERE id >= {{low:UInt64}}"));
            assert_eq!(count.param("low", 9_000).fetch_one::<u64>().await.unwrap(), 1_000);
        }
    });
}

#[test]
fn what_is_wrong_comes_back_with_clickhouses_code_and_text() {
    let check = |sql: &str, code: &str, part: &str| {
        let outcome = server().runtime.block_on(client().query(sql).execute());
        let Err(clickhouse::error::Error::BadResponse(text)) = outcome else { panic!("{sql}: {outcome:?}") };
        assert!(text.starts_with(code) && text.contains(part), "{sql}: {text}");
    };
    check("SELEKT 1", "Code: 62. ", "Syntax error");
    check("SELECT * FROM nowhere", "Code: 60. ", "UNKNOWN_TABLE");
    check("SELECT nothing", "Code: 47. ", "UNKNOWN_IDENTIFIER");
    check("SELECT 1; SELECT 2", "Code: 62. ", "Multi-statements");
    check("SELECT throwIf(number = 3) FROM numbers(10)", "Code: 395. ", "FUNCTION_THROW_IF");
    let (head, body) = http("POST", "", "SELECT * FROM nowhere");
    assert!(head.starts_with("HTTP/1.1 404") && head.contains("x-clickhouse-exception-code: 60"), "{head}");
    assert!(body.starts_with("Code: 60. DB::Exception: "), "{body}");
}

#[test]
fn many_ask_at_once_and_each_gets_its_own_answer() {
    let answers = server().runtime.block_on(async {
        let tasks: Vec<_> = (0..64u64)
            .map(|number| {
                tokio::spawn(async move {
                    let sql = "SELECT sum(number) + {mine:UInt64} FROM numbers(100000)";
                    client().query(sql).param("mine", number).fetch_one::<u64>().await.unwrap()
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    });
    let expected: Vec<u64> = (0..64).map(|number| 4_999_950_000 + number).collect();
    assert_eq!(answers, expected);
}

/// One request by hand; `query` is the address behind `?`. Returns head and body.
fn http(method: &str, query: &str, body: &str) -> (String, String) {
    let address = &server().address;
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} /?{query} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase().replacen("http/1.1", "HTTP/1.1", 1), body.trim_end().to_owned())
}

#[test]
fn what_is_said_beside_a_statement_does_not_stick_to_the_session() {
    let ask = |method: &str, more: &str, sql: &str| {
        let sql: String = sql.bytes().map(|byte| format!("%{byte:02X}")).collect();
        http(method, &format!("session_id=s{more}&query={sql}"), "").1
    };
    let state =
        "SELECT getSetting('max_threads'), getSetting('readonly'), currentDatabase(), getSetting('max_result_bytes')";
    let before = ask("POST", "", state);
    assert_eq!(ask("POST", "&max_threads=3&database=system&max_result_bytes=9999", state), "3\t0\tsystem\t9999");
    assert_eq!(ask("POST", "", state), before, "after a POST with settings and a database");
    assert_eq!(ask("GET", "&max_threads=5", "SELECT getSetting('max_threads')"), "5");
    assert_eq!(ask("POST", "", state), before, "after a GET");
    assert_eq!(ask("POST", "", "CREATE TEMPORARY TABLE mine (a UInt8)"), "", "a session can still write");
    for sql in ["DROP TABLE mine", "INSERT INTO mine VALUES (1)", "CREATE TABLE other (a UInt8) ENGINE = Memory"] {
        assert!(ask("GET", "", sql).starts_with("Code: 164. "), "{sql} by GET");
    }
    assert_eq!(ask("GET", "", "SELECT count() FROM mine"), "0");
    // What a statement itself sets is the session's.
    ask("POST", "", "SET max_threads = 7");
    assert_eq!(ask("POST", "&max_threads=3", "SELECT getSetting('max_threads')"), "3");
    assert_eq!(ask("POST", "", "SELECT getSetting('max_threads')"), "7");
    // Without a session GET only reads.
    assert!(http("GET", "query=CREATE%20TABLE%20t%20(a%20UInt8)%20ENGINE%20=%20Memory", "").1.contains("Code: 164."));
}
