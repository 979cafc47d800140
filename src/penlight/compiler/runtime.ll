; The native part of `runtime`: how Python enters kernels and programs. `pool.ll` follows it.
;
; A kernel is `void kernel(ptr args, i64 thread, i64 threads)` and does one thread's share. `native`
; fills in where an object's first own field, its type and a type's name lie, and how this processor
; pauses; it imports the symbols by their addresses.

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
%cell = type { i64, ptr, i64 }  ; the number of an array, where its address is to be written, and
                               ; how many bytes behind it

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
  %behind.at = getelementptr %cell, ptr %table, i64 %i, i32 2
  %behind = load i64, ptr %behind.at
  %moved = getelementptr i8, ptr %pointer, i64 %behind
  store ptr %moved, ptr %place
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

; A task: one thread's way through a program. All threads walk the whole list, in step, and stop at
; the first barrier after an error.
define internal void @walk(ptr %p, i64 %thread, i64 %threads) {
  %count.at = getelementptr %program, ptr %p, i64 0, i32 2
  %count = load i64, ptr %count.at
  %list.at = getelementptr %program, ptr %p, i64 0, i32 3
  %list = load ptr, ptr %list.at
  %error.at = getelementptr %program, ptr %p, i64 0, i32 6
  %error = load ptr, ptr %error.at
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
  %code = call i64 @barrier(i64 %threads, ptr %error)
  %fine = icmp eq i64 %code, 0
  br i1 %fine, label %share, label %end
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
