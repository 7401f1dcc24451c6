//! The headers of a message as they are, whoever wrote them.
//!
//! rdkafka's own iterator panics on a name that is not UTF-8. Anybody who may write to a topic can send one, and the record stays, so the
//! reader would panic at it for ever.

#![allow(unsafe_code, reason = "there is no safe way to a header whose name is not UTF-8")]

use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_message_headers, rd_kafka_resp_err_t};
use rdkafka::message::BorrowedMessage;
use std::ffi::CStr;
use std::ptr::{null, null_mut};

/// Calls `each` with every header in order. One whose name is not UTF-8 is nothing that anybody here asks for, and is left out.
pub(crate) fn each_header(message: &BorrowedMessage<'_>, mut each: impl FnMut(&str, &[u8])) {
    const FINE: rd_kafka_resp_err_t = rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    let mut headers = null_mut();
    // SAFETY: the message is alive as long as `message`; what librdkafka points to here belongs to the message.
    if unsafe { rd_kafka_message_headers(message.ptr(), &mut headers) } != FINE {
        return;
    }
    for index in 0.. {
        let (mut name, mut value, mut size) = (null(), null(), 0);
        // SAFETY: `headers` are those of the message, see above; an index beyond the last one is an error, not undefined.
        if unsafe { rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size) } != FINE {
            return;
        }
        // SAFETY: librdkafka ends names with a zero and keeps them as long as the message.
        let name = unsafe { CStr::from_ptr(name) };
        let value = match value.is_null() {
            true => &[][..],
            // SAFETY: a value that is there has `size` bytes and is kept as long as the message.
            false => unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) },
        };
        if let Ok(name) = name.to_str() {
            each(name, value);
        }
    }
}
