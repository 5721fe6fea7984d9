// The few drawings of the console, as SVG in the current colour.

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
      <ellipse cx="12" cy="19" rx="9" ry="3.4" />
      <ellipse cx="11.4" cy="12.2" rx="6.2" ry="2.9" />
      <ellipse cx="12.4" cy="6.2" rx="3.6" ry="2.5" />
    </svg>
  );
}

const paths: Record<string, string> = {
  overview: "M3 13h8V3H3zM13 21h8v-8h-8zM3 21h8v-6H3zM13 3v8h8V3z",
  data: "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zM4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3",
  sql: "M4 17l6-5-6-5M12 19h8",
  pipelines: "M5 4v5a3 3 0 003 3h8a3 3 0 013 3v5M5 4l-2.5 3M5 4l2.5 3M19 20l-2.5-3M19 20l2.5-3",
  features: "M12 3l8.5 4.8v8.4L12 21l-8.500-4.800V7.800zM12 12l8.500-4.200M12 12v9M12 12L3.500 7.800",
  experiments: "M9 3h6M10 3v6L4.500 18.500A1.700 1.700 0 006 21h12a1.700 1.700 0 001.500-2.500L14 9V3M7.500 15h9",
  models: "M12 3l9 5-9 5-9-5zM3 12.500l9 5 9-5M3 17l9 5 9-5",
  endpoints: "M4 12h4l3-8 4 16 3-8h3",
  alerts: "M6 9a6 6 0 0112 0c0 6 2.500 7 2.500 7h-17S6 15 6 9M10 20a2.200 2.200 0 004 0",
  lineage: "M6 8a2.500 2.500 0 100-5 2.500 2.500 0 000 5zM6 21a2.500 2.500 0 100-5 2.500 2.500 0 000 5zM18 14.500a2.500 2.500 0 100-5 2.500 2.500 0 000 5zM8.500 6c4 0 4 5 7 6M8.500 18c4 0 4-5 7-6",
  roadmap: "M4 5h2M4 12h2M4 19h2M10 5h10M10 12h10M10 19h10",
  tasks: "M12 21a9 9 0 100-18 9 9 0 000 18zM12 7v5l3.500 2",
  audit: "M6 3h9l4 4v14H6zM14 3v5h5M9 13h7M9 17h5",
};

export function Icon({ name }: { name: string }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name] ?? ""} />
    </svg>
  );
}
