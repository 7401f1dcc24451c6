export default function Experiment({ id }: { id: string }) {
  return (
    <div class="in">
      <div class="head first">
        <h1>{id}</h1>
      </div>
    </div>
  );
}
