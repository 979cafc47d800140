; The pool of threads, the other half of `runtime.ll`: `spread` runs a task on it. A *task* is
; `void task(ptr argument, i64 thread, i64 threads)`, as kernels are.

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
@held = internal global i64 0                ; what a word held when the barrier opened
@task = internal global ptr null, align 128
@argument = internal global ptr null
@threads = internal global i64 1             ; that work on the task
@alive = internal global i64 1               ; started, the calling one included
@wanted = internal global i64 1              ; at most so many work on a task
@longest = internal global i64 1000          ; pauses before a worker sleeps, where it has a core
@patience = internal global i64 1000         ; the same as things are now
@era = internal global i64 1                 ; counts forks
@sig_block = internal global i32 0
@sig_setmask = internal global i32 2

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
declare i64 @llvm.smin.i64(i64, i64)
$pause_declared

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
  %yields = call i64 @await(ptr @pending, i64 0)
  call void @adapt(i64 %yields)
  store atomic i64 0, ptr @busy release, align 8
  ret void
alone:
  call void %task(ptr %argument, i64 0, i64 1)
  ret void
}

; Where this thread had to yield, and few times were enough, a worker shares its core: if that looks
; out, this one cannot go on. So it does for less long from now on; otherwise for longer again.
define internal void @adapt(i64 %yields) {
  %patience = load i64, ptr @patience
  %longest = load i64, ptr @longest
  %less.one = sub i64 %yields, 1
  %crowded = icmp ult i64 %less.one, 3
  %less = ashr i64 %patience, 2
  %step = ashr i64 %longest, 4
  %more = add i64 %patience, %step
  %most = call i64 @llvm.smin.i64(i64 %more, i64 %longest)
  %new = select i1 %crowded, i64 %less, i64 %most
  store i64 %new, ptr @patience
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

; Waits until a word has a value; after a while lets other threads run in between, and tells how
; often it did.
define internal i64 @await(ptr %word, i64 %value) {
  %longest = load i64, ptr @longest
  %patience = ashr i64 %longest, 3
  br label %look
look:
  %i = phi i64 [ 0, %0 ], [ %i.next, %again ]
  %yields = phi i64 [ 0, %0 ], [ %yields.next, %again ]
  %now = load atomic i64, ptr %word acquire, align 8
  %right = icmp eq i64 %now, %value
  br i1 %right, label %end, label %pause
pause:
  $pause
  %patient = icmp slt i64 %i, %patience
  br i1 %patient, label %again, label %yield
yield:
  call i32 @sched_yield()
  %one.more = add i64 %yields, 1
  br label %again
again:
  %yields.next = phi i64 [ %yields, %pause ], [ %one.more, %yield ]
  %i.next = add i64 %i, 1
  br label %look
end:
  ret i64 %yields
}

; nobody leaves before all have come; to each the number that %word held then
define internal i64 @barrier(i64 %threads, ptr %word) {
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %look, label %arrive
look:
  %mine = load i64, ptr %word
  ret i64 %mine
arrive:
  %round = load atomic i64, ptr @round acquire, align 8
  %before = atomicrmw add ptr @arrived, i64 1 acq_rel
  %here = add i64 %before, 1
  %next = add i64 %round, 1
  %last = icmp eq i64 %here, %threads
  br i1 %last, label %open, label %wait
open:
  %ours = load i64, ptr %word
  store i64 %ours, ptr @held
  store atomic i64 0, ptr @arrived monotonic, align 8
  store atomic i64 %next, ptr @round release, align 8
  ret i64 %ours
wait:
  call i64 @await(ptr @round, i64 %next)
  %theirs = load i64, ptr @held
  ret i64 %theirs
}

; ---------------------------------------------------------------- called through ctypes

define void @configure(i32 %block, i32 %setmask) {
  store i32 %block, ptr @sig_block
  store i32 %setmask, ptr @sig_setmask
  ret void
}

define void @want(i64 %threads, i64 %longest) {
  store i64 %threads, ptr @wanted
  store i64 %longest, ptr @longest
  store i64 %longest, ptr @patience
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
  call i64 @await(ptr @busy, i64 0)
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
