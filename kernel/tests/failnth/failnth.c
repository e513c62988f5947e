// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Makes the n-th call of a named kernel function fail, on a kernel without fault injection.
 *
 * Each open file of /dev/failnth is one fault. A write arms it, with words separated by spaces:
 *
 *   func=NAME     the function; its entry is probed, so it must not be inlined
 *   nth=N         the number of the call that fails, from 1; 0 (the default) only counts
 *   ret=VALUE     the value that this call returns without being carried out (default -12: ENOMEM)
 *   scope=NAME    count only calls from within NAME, made by the process that armed the fault;
 *                 without it every call of any process counts
 *   outside=NAME  within the scope, but not from within NAME; at most eight of them
 *   onwards       each call from the n-th on fails, as if memory had run out
 *   sized         only calls whose second argument is not 0: Rust frees by krealloc() to a size of 0
 *   block         the n-th call waits until `release` is written to the file, then returns VALUE
 *   watch         logs each counted call to the kernel log: "failnth: NAME"
 *
 * "nth=N" alone arms a fault again that has a scope and does not wait, with its counts at 0. That
 * is faster, because it does not set the probes again.
 *
 * Writing `settle` waits until all objects are freed that only wait for a grace period or for more
 * objects of their kind. It arms nothing. Shrink the caches first (/sys/kernel/slab).
 *
 * A read returns "calls=N hits=N waiting=N". poll(2) reports POLLIN while a call waits. A close
 * disarms the fault.
 *
 * Source: Documentation/trace/kprobes.rst ("Changing Execution Path"), kernel/fail_function.c for
 * the method, arch/x86/lib/error-inject.c for the parts that are not exported, mm/slab_common.c.
 */
#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/objtool.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#define OUTSIDES 8

struct fault;

/* A function within which calls do not count. */
struct outside {
	struct kretprobe probe;
	struct fault *fault;
	char name[64];
};

struct fault {
	struct kprobe probe;
	struct kretprobe scope_probe;
	struct outside outsides[OUTSIDES];
	char func[64];
	char scope[64];
	unsigned int nth;
	long ret;
	bool sized, block, onwards, watch, armed;
	pid_t owner;
	/* The task that is within the scope now, and its nesting depth. */
	struct task_struct *inside;
	unsigned int depth;
	/* The nesting depth of that task within the `outside` functions. */
	unsigned int outside_depth;
	atomic_t calls, hits, waiting;
	bool released;
	wait_queue_head_t queue;
	struct mutex lock;
};

/*
 * The fault whose call waits. There is only one at a time, because the function that waits gets no
 * argument of ours.
 */
static struct fault *waiter;

/* Does nothing but return to the caller of the function that it replaces. */
asmlinkage void failnth_return(void);
asm(
	".text\n"
	".type failnth_return, @function\n"
	".globl failnth_return\n"
	"failnth_return:\n"
		ANNOTATE_NOENDBR "\n"
		ASM_RET
	".size failnth_return, .-failnth_return\n"
);

/* Replaces the function whose call is to wait. */
static noinline long failnth_wait(void)
{
	struct fault *fault = READ_ONCE(waiter);
	long ret = fault->ret;

	atomic_set(&fault->waiting, 1);
	wake_up_all(&fault->queue);
	/* The limit is for a test that died. Closing its files waits for this function. */
	wait_event_timeout(fault->queue, READ_ONCE(fault->released), 20 * HZ);
	/* A close that finds no waiter frees the fault after a grace period. */
	rcu_read_lock();
	WRITE_ONCE(waiter, NULL);
	atomic_set(&fault->waiting, 0);
	wake_up_all(&fault->queue);
	rcu_read_unlock();
	return ret;
}

static bool fault_counts(const struct fault *fault)
{
	if (!fault->scope[0])
		return true;
	return READ_ONCE(fault->depth) && fault->inside == current && !fault->outside_depth;
}

/* Whether this call, by its number, is to fail. */
static bool fault_fails(const struct fault *fault, unsigned int call)
{
	unsigned int nth = READ_ONCE(fault->nth);

	return nth && (call == nth || (fault->onwards && call > nth));
}

static int fault_pre(struct kprobe *probe, struct pt_regs *regs)
{
	struct fault *fault = container_of(probe, struct fault, probe);
	unsigned int call;

	if (!fault_counts(fault) || (fault->sized && !regs_get_kernel_argument(regs, 1)))
		return 0;
	call = atomic_inc_return(&fault->calls);
	if (fault->watch)
		pr_info("failnth: %s\n", fault->func);
	if (!fault_fails(fault, call))
		return 0;

	if (fault->block) {
		if (cmpxchg(&waiter, NULL, fault))
			return 0;
		instruction_pointer_set(regs, (unsigned long)failnth_wait);
	} else {
		regs_set_return_value(regs, fault->ret);
		instruction_pointer_set(regs, (unsigned long)failnth_return);
	}
	atomic_inc(&fault->hits);
	return 1;
}
NOKPROBE_SYMBOL(fault_pre);

/*
 * The presence of this handler keeps the probe from being optimised into a jump, which could not
 * change the execution path.
 */
static void fault_post(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static int scope_enter(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct fault *fault = container_of(get_kretprobe(instance), struct fault, scope_probe);

	if (current->tgid != fault->owner || (fault->inside && fault->inside != current))
		return 1;
	fault->inside = current;
	WRITE_ONCE(fault->depth, fault->depth + 1);
	return 0;
}
NOKPROBE_SYMBOL(scope_enter);

static int scope_leave(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct fault *fault = container_of(get_kretprobe(instance), struct fault, scope_probe);

	WRITE_ONCE(fault->depth, fault->depth - 1);
	if (!fault->depth)
		fault->inside = NULL;
	return 0;
}
NOKPROBE_SYMBOL(scope_leave);

static int outside_enter(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct fault *fault = container_of(get_kretprobe(instance), struct outside, probe)->fault;

	if (!READ_ONCE(fault->depth) || fault->inside != current)
		return 1;
	fault->outside_depth++;
	return 0;
}
NOKPROBE_SYMBOL(outside_enter);

static int outside_leave(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct fault *fault = container_of(get_kretprobe(instance), struct outside, probe)->fault;

	fault->outside_depth--;
	return 0;
}
NOKPROBE_SYMBOL(outside_leave);

static int fault_outside(struct fault *fault, const char *name)
{
	for (int i = 0; i < OUTSIDES; i++)
		if (!fault->outsides[i].name[0])
			return strscpy(fault->outsides[i].name, name) < 0 ? -EINVAL : 0;
	return -EINVAL;
}

static int fault_word(struct fault *fault, const char *word)
{
	if (!strncmp(word, "outside=", 8))
		return fault_outside(fault, word + 8);
	if (sscanf(word, "func=%63s", fault->func) == 1 || sscanf(word, "scope=%63s", fault->scope) == 1 ||
	    sscanf(word, "nth=%u", &fault->nth) == 1 || sscanf(word, "ret=%ld", &fault->ret) == 1)
		return 0;
	if (!strcmp(word, "sized"))
		fault->sized = true;
	else if (!strcmp(word, "block"))
		fault->block = true;
	else if (!strcmp(word, "onwards"))
		fault->onwards = true;
	else if (!strcmp(word, "watch"))
		fault->watch = true;
	else if (*word)
		return -EINVAL;
	return 0;
}

static int fault_arm_scope(struct kretprobe *probe, const char *name, kretprobe_handler_t enter,
			   kretprobe_handler_t leave)
{
	if (!name[0])
		return 0;
	probe->kp.symbol_name = name;
	probe->entry_handler = enter;
	probe->handler = leave;
	probe->maxactive = 16;
	return register_kretprobe(probe);
}

static void fault_disarm_outsides(struct fault *fault, int count)
{
	while (count--)
		if (fault->outsides[count].name[0])
			unregister_kretprobe(&fault->outsides[count].probe);
}

/* This runs between two calls within the scope, because the writer is in neither. */
static int fault_arm_again(struct fault *fault, const char *text)
{
	unsigned int nth;

	if (fault->block || !fault->scope[0] || sscanf(text, "nth=%u", &nth) != 1)
		return -EBUSY;
	WRITE_ONCE(fault->nth, nth);
	atomic_set(&fault->calls, 0);
	atomic_set(&fault->hits, 0);
	return 0;
}

static int fault_arm(struct fault *fault, char *text)
{
	char *word;
	int ret, i;

	if (fault->armed)
		return fault_arm_again(fault, text);
	fault->ret = -ENOMEM;
	while ((word = strsep(&text, " \n"))) {
		ret = fault_word(fault, word);
		if (ret)
			return ret;
	}

	fault->owner = current->tgid;
	fault->probe.symbol_name = fault->func;
	fault->probe.pre_handler = fault_pre;
	fault->probe.post_handler = fault_post;
	ret = fault_arm_scope(&fault->scope_probe, fault->scope, scope_enter, scope_leave);
	if (ret)
		return ret;
	for (i = 0; i < OUTSIDES; i++) {
		struct outside *outside = &fault->outsides[i];

		outside->fault = fault;
		ret = fault_arm_scope(&outside->probe, outside->name, outside_enter, outside_leave);
		if (ret)
			goto err_outside;
	}
	ret = register_kprobe(&fault->probe);
	if (ret)
		goto err_outside;
	fault->armed = true;
	return 0;

err_outside:
	fault_disarm_outsides(fault, i);
	if (fault->scope[0])
		unregister_kretprobe(&fault->scope_probe);
	return ret;
}

static int failnth_open(struct inode *inode, struct file *file)
{
	struct fault *fault = kzalloc(sizeof(*fault), GFP_KERNEL);

	if (!fault)
		return -ENOMEM;
	init_waitqueue_head(&fault->queue);
	mutex_init(&fault->lock);
	file->private_data = fault;
	return 0;
}

static void fault_release(struct fault *fault)
{
	WRITE_ONCE(fault->released, true);
	wake_up_all(&fault->queue);
}

/*
 * Waits until objects are freed that kfree_rcu() and vfree() have collected.
 *
 * kvfree_rcu_barrier() is not exported. Destroying a cache includes most of it, because kfree_rcu()
 * may have collected objects of that cache. It includes rcu_barrier(), too. The objects that
 * processors keep for other caches are released when those are shrunk, before this. vfree() returns
 * addresses in batches.
 */
static int failnth_settle(void)
{
	struct kmem_cache *cache = kmem_cache_create("failnth", sizeof(long), 0, SLAB_NO_MERGE, NULL);

	if (!cache)
		return -ENOMEM;
	kmem_cache_destroy(cache);
	/* Wait for the cache's files in sysfs. */
	rcu_barrier();
	vm_unmap_aliases();
	return 0;
}

static ssize_t failnth_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct fault *fault = file->private_data;
	char *text;
	int ret = 0;

	if (len > 512)
		return -EINVAL;
	text = memdup_user_nul(from, len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&fault->lock);
	if (!strcmp(text, "release"))
		fault_release(fault);
	else if (!strcmp(text, "settle"))
		ret = failnth_settle();
	else
		ret = fault_arm(fault, text);
	mutex_unlock(&fault->lock);
	kfree(text);
	return ret ?: len;
}

static ssize_t failnth_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	struct fault *fault = file->private_data;
	char text[64];
	int n = scnprintf(text, sizeof(text), "calls=%d hits=%d waiting=%d\n", atomic_read(&fault->calls),
			  atomic_read(&fault->hits), atomic_read(&fault->waiting));

	if (len < n)
		return -EINVAL;
	return copy_to_user(to, text, n) ? -EFAULT : n;
}

static __poll_t failnth_poll(struct file *file, poll_table *table)
{
	struct fault *fault = file->private_data;

	poll_wait(file, &fault->queue, table);
	return atomic_read(&fault->waiting) ? EPOLLIN : 0;
}

static int failnth_close(struct inode *inode, struct file *file)
{
	struct fault *fault = file->private_data;

	fault_release(fault);
	if (fault->armed) {
		unregister_kprobe(&fault->probe);
		if (fault->scope[0])
			unregister_kretprobe(&fault->scope_probe);
		fault_disarm_outsides(fault, OUTSIDES);
	}
	wait_event(fault->queue, READ_ONCE(waiter) != fault && !atomic_read(&fault->waiting));
	/* The waiter may still have to wake us. */
	synchronize_rcu();
	kfree(fault);
	return 0;
}

static const struct file_operations failnth_fops = {
	.owner = THIS_MODULE,
	.open = failnth_open,
	.release = failnth_close,
	.write = failnth_write,
	.read = failnth_read,
	.poll = failnth_poll,
	.llseek = noop_llseek,
};

static struct miscdevice failnth_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "failnth",
	.fops = &failnth_fops,
	.mode = 0600,
};

static int __init failnth_init(void)
{
	return misc_register(&failnth_device);
}

static void __exit failnth_exit(void)
{
	misc_deregister(&failnth_device);
	/* The waiter may be leaving failnth_wait(), whose end is not in a read-side section. */
	synchronize_rcu_tasks();
}

module_init(failnth_init);
module_exit(failnth_exit);

MODULE_DESCRIPTION("Makes the n-th call of a kernel function fail, for tests");
MODULE_AUTHOR("The Drydock authors");
MODULE_LICENSE("Dual MIT/GPL");
