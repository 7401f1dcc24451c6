export default function Planner() {
  return (
    <div class="in">
      <div class="head first">
        <h1>Planner</h1>
      </div>
    </div>
  );
}
