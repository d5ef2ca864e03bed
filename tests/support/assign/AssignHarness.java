import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.runtime.distributed.ConnectProtocol;
import org.apache.kafka.connect.runtime.distributed.EagerAssignor;
import org.apache.kafka.connect.runtime.distributed.ExtendedWorkerState;
import org.apache.kafka.connect.runtime.distributed.IncrementalCooperativeAssignor;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator.ConnectorsAndTasks;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

/**
 * Drives Java's assignors through clusters made up by chance and prints what they were asked and what they answered.
 *
 * <p>{@code java -cp 'jars/*' AssignHarness.java SEED SCENARIOS}. The README in tests/data/assign says how to read it. Members are
 * named a to o and connectors A to H, so that sets of them iterate in alphabetical order.
 */
public class AssignHarness {
    static final int[] DELAYS = {0, 1, 2000, 300000};

    static Random random;
    static long now;
    static int generation;
    /** The last generation in which the leader got an assignment. */
    static int completed;
    /** How many tasks each connector has. */
    static TreeMap<String, Integer> configured;
    static TreeMap<String, Work> members;
    /** What members had that are gone. */
    static TreeMap<String, Work> gone;

    /** What a member runs, in its order. */
    record Work(LinkedHashSet<String> connectors, LinkedHashSet<ConnectorTaskId> tasks) {
        Work() {
            this(new LinkedHashSet<>(), new LinkedHashSet<>());
        }

        Work(Work other) {
            this(new LinkedHashSet<>(other.connectors), new LinkedHashSet<>(other.tasks));
        }
    }

    public static void main(String[] args) throws Exception {
        random = new Random(Long.parseLong(args[0]));
        StringBuilder text = new StringBuilder();
        for (int scenario = Integer.parseInt(args[1]); scenario > 0; scenario--) {
            if (scenario % 10 == 0) {
                start();
                text.append("eager ").append(configuredText());
                members.keySet().forEach(member -> text.append(' ').append(member).append('='));
                text.append(" >").append(eager()).append('\n');
            } else {
                incremental(text);
            }
        }
        System.out.print(text);
    }

    static void start() {
        now = random.nextInt(1000);
        generation = random.nextInt(3);
        completed = generation == 0 ? -1 : generation;
        configured = new TreeMap<>();
        members = new TreeMap<>();
        gone = new TreeMap<>();
        for (int i = random.nextInt(6); i >= 0; i--) {
            configured.put(name('A', 8), random.nextInt(7));
        }
        for (int i = random.nextInt(5); i >= 0; i--) {
            members.put(name('a', 15), new Work());
        }
    }

    static String name(char first, int count) {
        return String.valueOf((char) (first + random.nextInt(count)));
    }

    static <T> T any(Collection<T> of) {
        return of.stream().skip(random.nextInt(of.size())).findFirst().get();
    }

    static boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    /** A leader takes over a cluster, or starts one, and stays for some rounds. */
    static void incremental(StringBuilder text) throws Exception {
        start();
        int maxDelay = DELAYS[random.nextInt(DELAYS.length)];
        text.append("max ").append(maxDelay).append('\n');
        if (chance(30)) {
            // The work that an earlier leader gave out.
            configured.forEach((connector, tasks) -> {
                any(members.values()).connectors.add(connector);
                IntStream.range(0, tasks).forEach(task -> any(members.values()).tasks.add(new ConnectorTaskId(connector, task)));
            });
        }
        Time time = (Time) Proxy.newProxyInstance(
                Time.class.getClassLoader(), new Class<?>[] {Time.class}, (proxy, method, unused) -> now);
        IncrementalCooperativeAssignor assignor = new IncrementalCooperativeAssignor(new LogContext(), time, maxDelay);
        int weather = random.nextInt(3);
        for (int round = 2 + random.nextInt(9); round > 0; round--) {
            int last = completed;
            generation++;
            text.append(now).append(' ').append(last).append(' ').append(generation).append(' ').append(configuredText());
            members.forEach((member, work) -> text.append(' ').append(member).append('=').append(text(work.connectors, work.tasks)));
            text.append(" >").append(answer(assignor, last)).append('\n');
            happen(assignor, maxDelay, weather);
        }
    }

    /** What the assignor answers; the members obey, most of them. */
    static String answer(IncrementalCooperativeAssignor assignor, int last) throws Exception {
        Map<String, ConnectorsAndTasks> allocations = new TreeMap<>();
        members.forEach((member, work) ->
                allocations.put(member, new ConnectorsAndTasks.Builder().with(work.connectors, work.tasks).build()));
        Method perform = IncrementalCooperativeAssignor.class.getDeclaredMethod(
                "performTaskAssignment", ClusterConfigState.class, int.class, int.class, Map.class);
        perform.setAccessible(true);
        Object assignment = perform.invoke(assignor, snapshot(), last, generation, allocations);
        int delay = field(assignor, "delay").getInt(assignor);
        StringBuilder answer = new StringBuilder(" ").append(delay);
        boolean leaderMissed = chance(4);
        for (String member : members.keySet()) {
            Collection<String> connectors = of(assignment, "newlyAssignedConnectors", member);
            Collection<ConnectorTaskId> tasks = of(assignment, "newlyAssignedTasks", member);
            Set<String> revokedConnectors = new TreeSet<>(AssignHarness.<String>of(assignment, "newlyRevokedConnectors", member));
            Set<ConnectorTaskId> revokedTasks = new TreeSet<>(AssignHarness.<ConnectorTaskId>of(assignment, "newlyRevokedTasks", member));
            if (!connectors.isEmpty() || !tasks.isEmpty()) {
                answer.append(' ').append(member).append('+').append(text(connectors, tasks));
            }
            if (!revokedConnectors.isEmpty() || !revokedTasks.isEmpty()) {
                answer.append(' ').append(member).append('-').append(text(revokedConnectors, revokedTasks));
            }
            if (!leaderMissed && !chance(4)) {
                Work before = members.get(member);
                Work after = new Work(new LinkedHashSet<>(connectors), new LinkedHashSet<>(tasks));
                before.connectors.stream().filter(each -> !revokedConnectors.contains(each)).forEach(after.connectors::add);
                before.tasks.stream().filter(each -> !revokedTasks.contains(each)).forEach(after.tasks::add);
                members.put(member, after);
            }
        }
        if (!leaderMissed) {
            completed = generation;
        }
        return answer.toString();
    }

    @SuppressWarnings("unchecked")
    static <T> Collection<T> of(Object assignment, String method, String member) throws Exception {
        Method get = assignment.getClass().getDeclaredMethod(method, String.class);
        get.setAccessible(true);
        return (Collection<T>) get.invoke(assignment, member);
    }

    static Field field(Object object, String name) throws Exception {
        Field field = object.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }

    /** What comes to pass until the next round: little or nothing in fair weather. */
    static void happen(IncrementalCooperativeAssignor assignor, int maxDelay, int weather) throws Exception {
        long scheduled = field(assignor, "scheduledRebalance").getLong(assignor);
        switch (random.nextInt(5)) {
            case 0 -> now += random.nextInt(100);
            case 1 -> now += random.nextInt(maxDelay + 2);
            case 2 -> now += maxDelay + random.nextInt(3) - 1;
            case 3 -> now = Math.max(now, scheduled);
            default -> { }
        }
        now = Math.max(now, 0);
        int some = 8 + weather * 8;
        if (chance(some)) {
            configured.put(name('A', 8), random.nextInt(7));
        }
        if (chance(some / 2) && !configured.isEmpty()) {
            configured.remove(any(configured.keySet()));
        }
        if (chance(some) && members.size() < 9) {
            String member = name('a', 15);
            // One that was away, with nothing or with what it had, or a new one.
            Work had = gone.remove(member);
            members.putIfAbsent(member, had != null && chance(30) ? had : new Work());
        }
        while (chance(some) && members.size() > 1) {
            String member = any(members.keySet());
            gone.put(member, members.remove(member));
        }
        if (chance(weather * 4)) {
            // Both think that it is theirs.
            Work from = any(members.values());
            Work to = any(members.values());
            from.connectors.stream().limit(random.nextInt(2)).forEach(new Work(to).connectors::add);
            to.connectors.addAll(new Work(from).connectors.stream().limit(random.nextInt(2)).toList());
            to.tasks.addAll(new Work(from).tasks.stream().limit(random.nextInt(3)).toList());
        }
        if (chance(weather * 3)) {
            // A worker lost touch with the group and stopped its work.
            members.put(any(members.keySet()), new Work());
        }
    }

    static String eager() throws Exception {
        Field unsafe = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
        unsafe.setAccessible(true);
        WorkerCoordinator coordinator = (WorkerCoordinator) ((sun.misc.Unsafe) unsafe.get(null)).allocateInstance(WorkerCoordinator.class);
        coordinator.configSnapshot(snapshot());
        Map<String, ExtendedWorkerState> states = new HashMap<>();
        members.keySet().forEach(member -> states.put(member, new ExtendedWorkerState("", 0, null)));
        Method perform = EagerAssignor.class.getDeclaredMethod(
                "performTaskAssignment", String.class, long.class, Map.class, WorkerCoordinator.class);
        perform.setAccessible(true);
        Map<?, ?> answers = (Map<?, ?>) perform.invoke(
                new EagerAssignor(new LogContext()), members.firstKey(), 0L, states, coordinator);
        StringBuilder text = new StringBuilder();
        for (String member : members.keySet()) {
            ConnectProtocol.Assignment answer = ConnectProtocol.deserializeAssignment((ByteBuffer) answers.get(member));
            text.append(' ').append(member).append('+').append(text(answer.connectors(), answer.tasks()));
        }
        return text.toString();
    }

    static ClusterConfigState snapshot() {
        return new ClusterConfigState(
                0, null, configured,
                configured.keySet().stream().collect(Collectors.toMap(connector -> connector, connector -> Map.of())),
                Map.of(),
                configured.entrySet().stream()
                        .flatMap(each -> IntStream.range(0, each.getValue()).mapToObj(task -> new ConnectorTaskId(each.getKey(), task)))
                        .collect(Collectors.toMap(task -> task, task -> Map.of())),
                Map.of(), Map.of(), Map.of(), Set.of(), Set.of());
    }

    static String configuredText() {
        List<ConnectorTaskId> tasks = new ArrayList<>();
        configured.forEach((connector, count) ->
                IntStream.range(0, count).forEach(task -> tasks.add(new ConnectorTaskId(connector, task))));
        String text = text(configured.keySet(), tasks);
        return text.isEmpty() ? "." : text;
    }

    /** A connector's letter, then a star for the connector and digits for its tasks, until the next letter. */
    static String text(Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
        StringBuilder text = new StringBuilder();
        String last = "";
        for (String connector : connectors) {
            text.append(connector).append('*');
            last = connector;
        }
        for (ConnectorTaskId task : tasks) {
            text.append(task.connector().equals(last) ? "" : task.connector()).append(task.task());
            last = task.connector();
        }
        return text.toString();
    }
}
