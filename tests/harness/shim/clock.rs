//! Steps the wall clock of one process: preloaded into it, this answers for `CLOCK_REALTIME` and asks the kernel for all
//! other clocks. The offset in seconds is a native `i64` at the start of the file that `ONETIMESHARE_CLOCK_FILE` names; the
//! file is mapped, so that a step needs no call. Compiled and used by `src/clock.rs` beside it.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

#[repr(C)]
pub struct Timeval {
    seconds: i64,
    microseconds: i64,
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn getenv(name: *const c_char) -> *const c_char;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn mmap(at: *mut c_void, length: usize, protection: c_int, flags: c_int, file: c_int, offset: i64)
    -> *mut c_void;
}

#[cfg(target_arch = "x86_64")]
const CLOCK_GETTIME: c_long = 228;
#[cfg(target_arch = "aarch64")]
const CLOCK_GETTIME: c_long = 113;

/// `CLOCK_REALTIME` and `CLOCK_REALTIME_COARSE`.
const WALL_CLOCKS: [c_int; 2] = [0, 5];

static ZERO: AtomicI64 = AtomicI64::new(0);
static OFFSET: AtomicPtr<AtomicI64> = AtomicPtr::new(ptr::null_mut());

fn offset() -> i64 {
    let mut found = OFFSET.load(Ordering::Acquire);
    if found.is_null() {
        found = map().unwrap_or(&raw const ZERO as *mut AtomicI64);
        OFFSET.store(found, Ordering::Release);
    }
    unsafe { (*found).load(Ordering::Relaxed) }
}

fn map() -> Option<*mut AtomicI64> {
    const READ: c_int = 1;
    const SHARED: c_int = 1;
    let name: &CStr = c"ONETIMESHARE_CLOCK_FILE";
    unsafe {
        let path = getenv(name.as_ptr());
        if path.is_null() {
            return None;
        }
        let file = open(path, 0);
        if file < 0 {
            return None;
        }
        let mapped = mmap(ptr::null_mut(), size_of::<i64>(), READ, SHARED, file, 0);
        (mapped as isize != -1).then_some(mapped.cast())
    }
}

fn now(clock: c_int) -> (c_int, Timespec) {
    let mut time = Timespec {
        seconds: 0,
        nanoseconds: 0,
    };
    let result = unsafe { syscall(CLOCK_GETTIME, clock, &raw mut time) };
    if WALL_CLOCKS.contains(&clock) {
        time.seconds += offset();
    }
    (result as c_int, time)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
    let (result, found) = now(clock);
    if result == 0 {
        unsafe { time.write(found) };
    }
    result
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(time: *mut Timeval, _: *mut c_void) -> c_int {
    let (result, found) = now(0);
    if result == 0 && !time.is_null() {
        let found = Timeval {
            seconds: found.seconds,
            microseconds: found.nanoseconds / 1000,
        };
        unsafe { time.write(found) };
    }
    result
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(seconds: *mut i64) -> i64 {
    let (_, found) = now(0);
    if !seconds.is_null() {
        unsafe { seconds.write(found.seconds) };
    }
    found.seconds
}
