; The native part of `runtime`: how Python enters kernels, and the pool of threads that runs them.
;
; A kernel is `void kernel(ptr args, i64 thread, i64 threads)` and does one thread's share. What
; runs on the pool, a *task*, has that signature too. `native` fills in where an object's first own
; field, its type and a type's name lie, and how this processor pauses; the symbols are imported by
; their addresses.

; What a callable of ours knows; its `self` is a NumPy array whose memory is one of these.
%entry = type {
  i64,          ; 0  how many arrays it takes
  i64,          ; 1  how many numbers after them
  i64,          ; 2  1: release the GIL while running
  i64,          ; 3  threads worth waking
  ptr           ; 4  a kernel's address
}
%program = type {
  %entry,       ; 0
  i64,          ; 1  the era in which it is running; any other value: it is not
  i64,          ; 2  how many commands
  ptr,          ; 3  the commands
  i64,          ; 4  how many cells
  ptr,          ; 5  the cells
  ptr,          ; 6  the error cell {code, index, size, axis}
  ptr           ; 7  where the numbers go
}
%command = type {
  ptr,          ; 0  kernel
  ptr,          ; 1  its args
  i64,          ; 2  threads worth waking
  i64           ; 3  1: wait until all commands before it are done
}
%cell = type { i64, ptr }  ; the number of an array, and where its address is to be written

%worker = type {
  i64,          ; 0  ticket: when it changes there is a task, or without a task the end
  i64,          ; 1  1: it sleeps, or is about to
  i64,          ; 2  its number; the calling thread is 0
  i64,          ; 3  pthread_t
  [96 x i8],    ;    (its cache lines are its own)
  [64 x i8],    ; 5  mutex
  [64 x i8]     ; 6  condition
}

@workers = internal global [256 x %worker] zeroinitializer, align 256
@busy = internal global i64 0, align 128     ; 1: some thread of Python has the pool
@pending = internal global i64 0, align 128  ; workers that have not finished the task
@arrived = internal global i64 0, align 128  ; threads that wait at the barrier
@round = internal global i64 0, align 128    ; how often the barrier has opened
@task = internal global ptr null, align 128
@argument = internal global ptr null
@threads = internal global i64 1             ; that work on the task
@alive = internal global i64 1               ; started, the calling one included
@wanted = internal global i64 1              ; at most so many work on a task
@patience = internal global i64 1000         ; pauses before a thread sleeps or yields
@era = internal global i64 1                 ; counts forks
@sig_block = internal global i32 0
@sig_setmask = internal global i32 2

@wrong_count = internal constant [57 x i8] c"expected %lld arrays and %lld numbers, got %zd arguments\00"
@wrong_type = internal constant [54 x i8] c"argument %lld must be exactly a numpy.ndarray, not %s\00"

@PyExc_TypeError = external global ptr
@None = external global i8
@ndarray = external global i8
@float = external global i8
declare ptr @PyErr_Format(ptr, ptr, ...)
declare ptr @PyErr_Occurred()
declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare double @PyFloat_AsDouble(ptr)
declare void @Py_IncRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)
declare i32 @sched_yield()

; ---------------------------------------------------------------- entries from Python

; METH_FASTCALL: kernel(*arrays, *numbers) -> None
define ptr @call_kernel(ptr %self, ptr %args, i64 %count) {
  %e = call ptr @data(ptr %self)
  %arrays = load i64, ptr %e
  %numbers.at = getelementptr %entry, ptr %e, i64 0, i32 1
  %numbers = load i64, ptr %numbers.at
  %room = add i64 %arrays, 1
  %pointers = alloca ptr, i64 %room
  %values = alloca i64, i64 %numbers
  %right = call i1 @read(ptr %e, ptr %args, i64 %count, ptr %pointers, ptr %values)
  br i1 %right, label %run, label %wrong
run:
  %last = getelementptr ptr, ptr %pointers, i64 %arrays
  store ptr %values, ptr %last
  %kernel.at = getelementptr %entry, ptr %e, i64 0, i32 4
  %kernel = load ptr, ptr %kernel.at
  %threads.at = getelementptr %entry, ptr %e, i64 0, i32 3
  %threads = load i64, ptr %threads.at
  %state = call ptr @release(ptr %e)
  call void @spread(ptr %kernel, ptr %pointers, i64 %threads)
  call void @acquire(ptr %state)
  call void @Py_IncRef(ptr @None)
  ret ptr @None
wrong:
  ret ptr null
}

; METH_FASTCALL: program(*arrays, *numbers) -> int, the code in the error cell
define ptr @call_program(ptr %self, ptr %args, i64 %count) {
  %p = call ptr @data(ptr %self)
  %arrays = load i64, ptr %p
  %numbers.at = getelementptr %entry, ptr %p, i64 0, i32 1
  %numbers = load i64, ptr %numbers.at
  %pointers = alloca ptr, i64 %arrays
  %values = alloca i64, i64 %numbers
  %right = call i1 @read(ptr %p, ptr %args, i64 %count, ptr %pointers, ptr %values)
  br i1 %right, label %run, label %wrong
run:
  %state = call ptr @release(ptr %p)
  call void @own(ptr %p)
  call void @place(ptr %p, ptr %pointers, ptr %values)
  %error.at = getelementptr %program, ptr %p, i64 0, i32 6
  %error = load ptr, ptr %error.at
  store i64 0, ptr %error
  %threads.at = getelementptr %entry, ptr %p, i64 0, i32 3
  %threads = load i64, ptr %threads.at
  call void @spread(ptr @walk, ptr %p, i64 %threads)
  %code = load i64, ptr %error
  %running = getelementptr %program, ptr %p, i64 0, i32 1
  store atomic i64 0, ptr %running release, align 8
  call void @acquire(ptr %state)
  %result = call ptr @PyLong_FromLongLong(i64 %code)
  ret ptr %result
wrong:
  ret ptr null
}

; the memory of an ndarray: its first field
define internal ptr @data(ptr %array) alwaysinline {
  %at = getelementptr i8, ptr %array, i64 $header
  %data = load ptr, ptr %at
  ret ptr %data
}

; the arguments' addresses and numbers; false with an exception set if they are not as expected
define internal i1 @read(ptr %e, ptr %args, i64 %count, ptr %pointers, ptr %values) alwaysinline {
  %arrays = load i64, ptr %e
  %numbers.at = getelementptr %entry, ptr %e, i64 0, i32 1
  %numbers = load i64, ptr %numbers.at
  %expected = add i64 %arrays, %numbers
  %enough = icmp eq i64 %count, %expected
  br i1 %enough, label %array.head, label %count.wrong
array.head:
  %i = phi i64 [ 0, %0 ], [ %i.next, %array.right ]
  %arrays.left = icmp slt i64 %i, %arrays
  br i1 %arrays.left, label %array, label %number.head
array:
  %array.at = getelementptr ptr, ptr %args, i64 %i
  %object = load ptr, ptr %array.at
  %type.at = getelementptr i8, ptr %object, i64 $type
  %type = load ptr, ptr %type.at
  %is.array = icmp eq ptr %type, @ndarray
  br i1 %is.array, label %array.right, label %array.wrong
array.right:
  %memory = call ptr @data(ptr %object)
  %pointer.at = getelementptr ptr, ptr %pointers, i64 %i
  store ptr %memory, ptr %pointer.at
  %i.next = add i64 %i, 1
  br label %array.head
number.head:
  %j = phi i64 [ 0, %array.head ], [ %j.next, %number.right ]
  %numbers.left = icmp slt i64 %j, %numbers
  br i1 %numbers.left, label %number, label %done
number:
  %k = add i64 %arrays, %j
  %number.at = getelementptr ptr, ptr %args, i64 %k
  %value.object = load ptr, ptr %number.at
  %value = call i64 @number(ptr %value.object)
  %value.at = getelementptr i64, ptr %values, i64 %j
  store i64 %value, ptr %value.at
  %suspect = icmp eq i64 %value, -1
  br i1 %suspect, label %number.check, label %number.right
number.check:
  %raised = call ptr @PyErr_Occurred()
  %fine = icmp eq ptr %raised, null
  br i1 %fine, label %number.right, label %failed
number.right:
  %j.next = add i64 %j, 1
  br label %number.head
done:
  ret i1 true
count.wrong:
  %error.class = load ptr, ptr @PyExc_TypeError
  call ptr (ptr, ptr, ...) @PyErr_Format(
    ptr %error.class, ptr @wrong_count, i64 %arrays, i64 %numbers, i64 %count)
  br label %failed
array.wrong:
  %type.class = load ptr, ptr @PyExc_TypeError
  %name.at = getelementptr i8, ptr %type, i64 $name
  %name = load ptr, ptr %name.at
  call ptr (ptr, ptr, ...) @PyErr_Format(ptr %type.class, ptr @wrong_type, i64 %i, ptr %name)
  br label %failed
failed:
  ret i1 false
}

; an int as it is, a float by its bits; -1 with an exception set for anything else
define internal i64 @number(ptr %object) alwaysinline {
  %type.at = getelementptr i8, ptr %object, i64 $type
  %type = load ptr, ptr %type.at
  %is.float = icmp eq ptr %type, @float
  br i1 %is.float, label %float, label %int
float:
  %double = call double @PyFloat_AsDouble(ptr %object)
  %bits = bitcast double %double to i64
  ret i64 %bits
int:
  %value = call i64 @PyLong_AsLongLong(ptr %object)
  ret i64 %value
}

; gives the GIL back if the entry asks for it
define internal ptr @release(ptr %e) alwaysinline {
  %long.at = getelementptr %entry, ptr %e, i64 0, i32 2
  %long = load i64, ptr %long.at
  %asked = icmp ne i64 %long, 0
  br i1 %asked, label %save, label %keep
save:
  %state = call ptr @PyEval_SaveThread()
  ret ptr %state
keep:
  ret ptr null
}

define internal void @acquire(ptr %state) alwaysinline {
  %released = icmp ne ptr %state, null
  br i1 %released, label %restore, label %end
restore:
  call void @PyEval_RestoreThread(ptr %state)
  br label %end
end:
  ret void
}

; ---------------------------------------------------------------- programs

; Waits until no other thread of Python runs the program. A run that a fork cut off holds nothing:
; its era is over.
define internal void @own(ptr %p) {
  %running = getelementptr %program, ptr %p, i64 0, i32 1
  %now = load i64, ptr @era
  br label %try
try:
  %owner = load atomic i64, ptr %running acquire, align 8
  %taken = icmp eq i64 %owner, %now
  br i1 %taken, label %wait, label %take
wait:
  call i32 @sched_yield()
  br label %try
take:
  %swap = cmpxchg ptr %running, i64 %owner, i64 %now acquire monotonic
  %mine = extractvalue { i64, i1 } %swap, 1
  br i1 %mine, label %end, label %try
end:
  ret void
}

; writes the arrays' addresses into the args that want them, and the numbers into their place
define internal void @place(ptr %p, ptr %pointers, ptr %values) {
  %cells.at = getelementptr %program, ptr %p, i64 0, i32 4
  %cells = load i64, ptr %cells.at
  %table.at = getelementptr %program, ptr %p, i64 0, i32 5
  %table = load ptr, ptr %table.at
  %numbers.at = getelementptr %entry, ptr %p, i64 0, i32 1
  %numbers = load i64, ptr %numbers.at
  %room.at = getelementptr %program, ptr %p, i64 0, i32 7
  %room = load ptr, ptr %room.at
  br label %cell.head
cell.head:
  %i = phi i64 [ 0, %0 ], [ %i.next, %cell ]
  %cells.left = icmp slt i64 %i, %cells
  br i1 %cells.left, label %cell, label %number.head
cell:
  %array.at = getelementptr %cell, ptr %table, i64 %i, i32 0
  %array = load i64, ptr %array.at
  %place.at = getelementptr %cell, ptr %table, i64 %i, i32 1
  %place = load ptr, ptr %place.at
  %pointer.at = getelementptr ptr, ptr %pointers, i64 %array
  %pointer = load ptr, ptr %pointer.at
  store ptr %pointer, ptr %place
  %i.next = add i64 %i, 1
  br label %cell.head
number.head:
  %j = phi i64 [ 0, %cell.head ], [ %j.next, %number ]
  %numbers.left = icmp slt i64 %j, %numbers
  br i1 %numbers.left, label %number, label %end
number:
  %value.at = getelementptr i64, ptr %values, i64 %j
  %value = load i64, ptr %value.at
  %to = getelementptr i64, ptr %room, i64 %j
  store i64 %value, ptr %to
  %j.next = add i64 %j, 1
  br label %number.head
end:
  ret void
}

; A task: one thread's way through a program. All threads walk the whole list, in step.
define internal void @walk(ptr %p, i64 %thread, i64 %threads) {
  %count.at = getelementptr %program, ptr %p, i64 0, i32 2
  %count = load i64, ptr %count.at
  %list.at = getelementptr %program, ptr %p, i64 0, i32 3
  %list = load ptr, ptr %list.at
  br label %head
head:
  %i = phi i64 [ 0, %0 ], [ %i.next, %next ]
  %left = icmp slt i64 %i, %count
  br i1 %left, label %command, label %end
command:
  %wait.at = getelementptr %command, ptr %list, i64 %i, i32 3
  %wait = load i64, ptr %wait.at
  %waits = icmp ne i64 %wait, 0
  br i1 %waits, label %barrier, label %share
barrier:
  call void @barrier(i64 %threads)
  br label %share
share:
  %worth.at = getelementptr %command, ptr %list, i64 %i, i32 2
  %worth = load i64, ptr %worth.at
  %n = call i64 @llvm.smin.i64(i64 %worth, i64 %threads)
  %mine = icmp slt i64 %thread, %n
  br i1 %mine, label %run, label %next
run:
  %kernel.at = getelementptr %command, ptr %list, i64 %i, i32 0
  %kernel = load ptr, ptr %kernel.at
  %args.at = getelementptr %command, ptr %list, i64 %i, i32 1
  %args = load ptr, ptr %args.at
  call void %kernel(ptr %args, i64 %thread, i64 %n)
  br label %next
next:
  %i.next = add i64 %i, 1
  br label %head
end:
  ret void
}

; nobody leaves before all have come
define internal void @barrier(i64 %threads) {
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %end, label %arrive
arrive:
  %round = load atomic i64, ptr @round acquire, align 8
  %before = atomicrmw add ptr @arrived, i64 1 acq_rel
  %here = add i64 %before, 1
  %next = add i64 %round, 1
  %last = icmp eq i64 %here, %threads
  br i1 %last, label %open, label %wait
open:
  store atomic i64 0, ptr @arrived monotonic, align 8
  store atomic i64 %next, ptr @round release, align 8
  ret void
wait:
  call void @await(ptr @round, i64 %next)
  ret void
end:
  ret void
}

; ---------------------------------------------------------------- the pool

; Runs a task on up to `most` threads; on this one alone if that is enough, if another thread of
; Python has the pool, or if no thread can be had. The result is the same.
define internal void @spread(ptr %task, ptr %argument, i64 %most) {
  %wanted = load i64, ptr @wanted
  %n = call i64 @llvm.smin.i64(i64 %most, i64 %wanted)
  %several = icmp sgt i64 %n, 1
  br i1 %several, label %take, label %alone
take:
  %swap = cmpxchg ptr @busy, i64 0, i64 1 acquire monotonic
  %mine = extractvalue { i64, i1 } %swap, 1
  br i1 %mine, label %staff, label %alone
staff:
  call void @grow(i64 %n)
  %alive = load i64, ptr @alive
  %team = call i64 @llvm.smin.i64(i64 %n, i64 %alive)
  store ptr %task, ptr @task
  store ptr %argument, ptr @argument
  store i64 %team, ptr @threads
  %others = sub i64 %team, 1
  store atomic i64 %others, ptr @pending release, align 8
  br label %post.head
post.head:
  %i = phi i64 [ 1, %staff ], [ %i.next, %post ]
  %left = icmp slt i64 %i, %team
  br i1 %left, label %post, label %work
post:
  %worker = getelementptr [256 x %worker], ptr @workers, i64 0, i64 %i
  call void @post(ptr %worker)
  %i.next = add i64 %i, 1
  br label %post.head
work:
  call void %task(ptr %argument, i64 0, i64 %team)
  call void @await(ptr @pending, i64 0)
  store atomic i64 0, ptr @busy release, align 8
  ret void
alone:
  call void %task(ptr %argument, i64 0, i64 1)
  ret void
}

; starts threads until there are n, or until the system gives no more; they take no signals
define internal void @grow(i64 %n) {
  %most = call i64 @llvm.smin.i64(i64 %n, i64 256)
  %before = load i64, ptr @alive
  %missing = icmp slt i64 %before, %most
  br i1 %missing, label %block, label %end
block:
  %all = alloca [128 x i8], align 16
  %old = alloca [128 x i8], align 16
  call i32 @sigfillset(ptr %all)
  %how.block = load i32, ptr @sig_block
  call i32 @pthread_sigmask(i32 %how.block, ptr %all, ptr %old)
  br label %head
head:
  %i = phi i64 [ %before, %block ], [ %i.next, %started ]
  %left = icmp slt i64 %i, %most
  br i1 %left, label %start, label %unblock
start:
  %worker = getelementptr [256 x %worker], ptr @workers, i64 0, i64 %i
  %ticket = getelementptr %worker, ptr %worker, i64 0, i32 0
  store atomic i64 0, ptr %ticket monotonic, align 8
  %asleep = getelementptr %worker, ptr %worker, i64 0, i32 1
  store atomic i64 0, ptr %asleep monotonic, align 8
  %number = getelementptr %worker, ptr %worker, i64 0, i32 2
  store i64 %i, ptr %number
  %mutex = getelementptr %worker, ptr %worker, i64 0, i32 5
  call i32 @pthread_mutex_init(ptr %mutex, ptr null)
  %condition = getelementptr %worker, ptr %worker, i64 0, i32 6
  call i32 @pthread_cond_init(ptr %condition, ptr null)
  %handle = getelementptr %worker, ptr %worker, i64 0, i32 3
  %failure = call i32 @pthread_create(ptr %handle, ptr null, ptr @work, ptr %worker)
  %ok = icmp eq i32 %failure, 0
  br i1 %ok, label %started, label %unblock
started:
  %i.next = add i64 %i, 1
  store i64 %i.next, ptr @alive
  br label %head
unblock:
  %how.set = load i32, ptr @sig_setmask
  call i32 @pthread_sigmask(i32 %how.set, ptr %old, ptr null)
  br label %end
end:
  ret void
}

; tells a worker that there is a task
define internal void @post(ptr %worker) {
  %ticket = getelementptr %worker, ptr %worker, i64 0, i32 0
  atomicrmw add ptr %ticket, i64 1 seq_cst
  %asleep.at = getelementptr %worker, ptr %worker, i64 0, i32 1
  %asleep = load atomic i64, ptr %asleep.at seq_cst, align 8
  %wake = icmp ne i64 %asleep, 0
  br i1 %wake, label %signal, label %end
signal:
  %mutex = getelementptr %worker, ptr %worker, i64 0, i32 5
  %condition = getelementptr %worker, ptr %worker, i64 0, i32 6
  call i32 @pthread_mutex_lock(ptr %mutex)
  call i32 @pthread_cond_signal(ptr %condition)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %end
end:
  ret void
}

; the life of a worker
define internal ptr @work(ptr %worker) {
  %number.at = getelementptr %worker, ptr %worker, i64 0, i32 2
  %number = load i64, ptr %number.at
  br label %idle
idle:
  %seen = phi i64 [ 0, %0 ], [ %ticket, %run ]
  %ticket = call i64 @listen(ptr %worker, i64 %seen)
  %task = load ptr, ptr @task
  %end = icmp eq ptr %task, null
  br i1 %end, label %die, label %run
run:
  %argument = load ptr, ptr @argument
  %threads = load i64, ptr @threads
  call void %task(ptr %argument, i64 %number, i64 %threads)
  atomicrmw sub ptr @pending, i64 1 release
  br label %idle
die:
  ret ptr null
}

; waits for a new ticket: awake for a while, then asleep
define internal i64 @listen(ptr %worker, i64 %seen) {
  %ticket.at = getelementptr %worker, ptr %worker, i64 0, i32 0
  %asleep = getelementptr %worker, ptr %worker, i64 0, i32 1
  %mutex = getelementptr %worker, ptr %worker, i64 0, i32 5
  %condition = getelementptr %worker, ptr %worker, i64 0, i32 6
  %patience = load i64, ptr @patience
  br label %look
look:
  %i = phi i64 [ 0, %0 ], [ %i.next, %pause ]
  %now = load atomic i64, ptr %ticket.at acquire, align 8
  %new = icmp ne i64 %now, %seen
  br i1 %new, label %found, label %pause
pause:
  $pause
  %i.next = add i64 %i, 1
  %again = icmp slt i64 %i.next, %patience
  br i1 %again, label %look, label %lie.down
found:
  ret i64 %now
lie.down:
  call i32 @pthread_mutex_lock(ptr %mutex)
  store atomic i64 1, ptr %asleep seq_cst, align 8
  br label %check
check:
  %late = load atomic i64, ptr %ticket.at seq_cst, align 8
  %woken = icmp ne i64 %late, %seen
  br i1 %woken, label %get.up, label %sleep
sleep:
  call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %check
get.up:
  store atomic i64 0, ptr %asleep seq_cst, align 8
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret i64 %late
}

; waits until a word has a value; after a while lets other threads run in between
define internal void @await(ptr %word, i64 %value) {
  %patience = load i64, ptr @patience
  br label %look
look:
  %i = phi i64 [ 0, %0 ], [ %i.next, %again ]
  %now = load atomic i64, ptr %word acquire, align 8
  %right = icmp eq i64 %now, %value
  br i1 %right, label %end, label %pause
pause:
  $pause
  %patient = icmp slt i64 %i, %patience
  br i1 %patient, label %again, label %yield
yield:
  call i32 @sched_yield()
  br label %again
again:
  %i.next = add i64 %i, 1
  br label %look
end:
  ret void
}

; ---------------------------------------------------------------- called through ctypes

define void @configure(i32 %block, i32 %setmask) {
  store i32 %block, ptr @sig_block
  store i32 %setmask, ptr @sig_setmask
  ret void
}

define void @want(i64 %threads, i64 %patience) {
  store i64 %threads, ptr @wanted
  store i64 %patience, ptr @patience
  ret void
}

define void @pauses(i64 %count) {
  br label %look
look:
  %i = phi i64 [ 0, %0 ], [ %i.next, %look ]
  $pause
  %i.next = add i64 %i, 1
  %again = icmp slt i64 %i.next, %count
  br i1 %again, label %look, label %end
end:
  ret void
}

define i64 @started() {
  %alive = load i64, ptr @alive
  ret i64 %alive
}

; Ends all workers and keeps the pool taken, so that tasks run on their callers alone: before a fork
; and at exit.
define void @halt() {
  br label %try
try:
  call void @await(ptr @busy, i64 0)
  %swap = cmpxchg ptr @busy, i64 0, i64 1 acquire monotonic
  %mine = extractvalue { i64, i1 } %swap, 1
  br i1 %mine, label %dismiss, label %try
dismiss:
  store ptr null, ptr @task
  %alive = load i64, ptr @alive
  br label %head
head:
  %i = phi i64 [ 1, %dismiss ], [ %i.next, %join ]
  %left = icmp slt i64 %i, %alive
  br i1 %left, label %join, label %end
join:
  %worker = getelementptr [256 x %worker], ptr @workers, i64 0, i64 %i
  call void @post(ptr %worker)
  %handle.at = getelementptr %worker, ptr %worker, i64 0, i32 3
  %handle = load i64, ptr %handle.at
  call i32 @pthread_join(i64 %handle, ptr null)
  %i.next = add i64 %i, 1
  br label %head
end:
  store i64 1, ptr @alive
  ret void
}

; after a fork: in the parent (0) and in the child (1), which begins an era
define void @resume(i64 %child) {
  %era = load i64, ptr @era
  %now = add i64 %era, %child
  store i64 %now, ptr @era
  store atomic i64 0, ptr @busy release, align 8
  ret void
}

declare i64 @llvm.smin.i64(i64, i64)
$pause_declared
